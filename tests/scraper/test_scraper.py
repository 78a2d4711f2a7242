"""`import scraper`: what a notebook calls, in any folder and thread."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import scraper
from gemkit.errors import UserError
from scraper import FolderParams, Project, StoreParams, Summary, crawl, load_site
from scraper.crawling.site_lock import lock_site
from scraper.stores.config import FolderSite
from tests.helpers.commands import command
from tests.helpers.crawl_results import check_files, images
from tests.helpers.crawl_shop import Shop, jpeg


def test_importing_the_package_imports_no_library(tmp_path: Path) -> None:
    script = "import sys; import scraper; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = set(command(sys.executable, "-c", script, cwd=tmp_path).stdout.split())
    assert "scraper" in loaded
    assert not loaded & {"bs4", "cv2", "httpx", "numpy", "PIL", "pyarrow", "pydantic", "requests", "torch"}


def test_every_public_name_is_there() -> None:
    assert all(getattr(scraper, name) for name in scraper.__all__)
    assert dir(scraper) == sorted(scraper.__all__), "notebooks complete these names"
    with pytest.raises(AttributeError, match="no attribute 'crowl'"):
        scraper.crowl  # noqa: B018


def test_without_its_extra_the_demo_store_leaves_nothing_behind(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['numpy'] = None\n"
        "from scraper import Project, crawl, load_site\n"
        "crawl(Project('gems'), load_site('demo'))"
    )
    error = command(sys.executable, "-c", script, cwd=tmp_path, expect=1).stderr
    assert "The demo store needs the extra 'curate'" in error
    assert not any(tmp_path.iterdir())


def test_two_projects_are_crawled_at_once_in_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shop: Shop
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    site = load_site(tmp_path / shop.site(tmp_path))

    def crawl_into(name: str) -> Summary:
        return crawl(Project(tmp_path / name), site)

    with ThreadPoolExecutor() as threads:
        summaries = list(threads.map(crawl_into, ["one", "two"]))
    assert [summary.images for summary in summaries] == [{"ok": 12}] * 2
    for name in ("one", "two"):
        check_files(tmp_path / name)
        assert set(images(tmp_path / name)) == set(shop.images)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_site_is_crawled_once_at_a_time_in_one_process_too(tmp_path: Path, shop: Shop) -> None:
    site, project = load_site(tmp_path / shop.site(tmp_path)), Project(tmp_path)
    with (
        lock_site(site.name, project.crawl_state),
        pytest.raises(UserError, match="is being crawled already"),
    ):
        crawl(project, site)
    assert not shop.requests and crawl(project, site).ended == "finished"


def test_a_folder_is_relative_to_the_project(tmp_path: Path) -> None:
    (tmp_path / "project/gems/Ruby").mkdir(parents=True)
    (tmp_path / "project/gems/Ruby/1.jpg").write_bytes(jpeg(1))
    project, site = Project(tmp_path / "project"), FolderSite(name="own", title="Own")
    assert crawl(project, site, FolderParams(folder=Path("gems"))).images == {"ok": 1}
    with pytest.raises(UserError, match="FolderParams"):
        crawl(project, site)
    with pytest.raises(UserError, match="settings of a site of the kind 'folder'"):
        crawl(project, site, StoreParams())
