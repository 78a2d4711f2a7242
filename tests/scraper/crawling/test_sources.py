"""The source of a crawl is chosen once, by the kind of the site."""

from pathlib import Path

import pytest

from gemkit.errors import UserError
from gemkit.project import Project
from scraper.crawling.sources import (
    DemoSource,
    FolderSource,
    LinksSource,
    MissingData,
    StoreSource,
    choose_source,
)
from scraper.params import CrawlParams, DemoParams, FolderParams, StoreParams
from scraper.stores.config import FolderSite, LinksSite, Site, load_site
from tests.helpers.commands import called

FOLDER = FolderSite(name="own", title="Own")
LINKS = LinksSite(
    kind="links", name="listed", title="Listed", links=Path(__file__), image_hosts=["shop.test"]
)
CONTACT = StoreParams(contact="me@example.org", respect_x_robots_tag=False)


@pytest.mark.parametrize(
    ("site", "params", "kind"),
    [
        (load_site("demo"), DemoParams(), DemoSource),
        (load_site("gempundit"), CONTACT, StoreSource),
        (LINKS, CONTACT, LinksSource),
        (FOLDER, FolderParams(folder=Path()), FolderSource),
    ],
)
def test_each_kind_of_site_has_a_source(site: Site, params: CrawlParams, kind: type) -> None:
    source = choose_source(Project(), site, params)
    assert type(source) is kind and source.site is site and source.concurrency >= 1
    disregarded = [f"crawl.{site.name}.respect_x_robots_tag is false: the store's opt-out is disregarded"]
    assert list(source.notes) == (disregarded if params is CONTACT else [])


@pytest.mark.parametrize("params", [DemoParams(), FolderParams(folder=Path())])
def test_settings_of_another_kind_are_refused(params: CrawlParams) -> None:
    with pytest.raises(UserError, match=r"'crawl\.gempundit_published' must hold the settings"):
        choose_source(Project(), load_site("gempundit_published"), params)


def test_a_store_needs_a_contact_address() -> None:
    with pytest.raises(UserError, match=r"set 'crawl\.gempundit\.contact'"):
        choose_source(Project(), load_site("gempundit"), None)


def test_missing_data_is_named_with_its_key_and_source(tmp_path: Path) -> None:
    project = Project(tmp_path)
    folder = Path("data/external/gems68/train")
    with pytest.raises(MissingData) as images:
        choose_source(project, load_site("gems68"), FolderParams(folder=folder))
    assert (images.value.key, images.value.path) == ("crawl.gems68.folder", tmp_path / folder)
    with pytest.raises(MissingData) as links:
        choose_source(project, load_site("gempundit_published", project), CONTACT)
    # A built-in site's data belongs to the project, not to the installed package.
    assert links.value.path == tmp_path / "data/external/gempundit/image_links.csv.gz"
    for error in (images.value, links.value):
        assert error.source is not None
        assert all(word in str(error) for word in (error.key, str(error.path), error.source))
    project.path(folder / "Ruby").mkdir(parents=True)
    project.path(folder / "Ruby/1.jpg").touch()
    choose_source(project, load_site("gems68"), FolderParams(folder=folder))


def test_a_crawl_without_its_data_ends_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("crawl:\n  gems68: {folder: data/external/gems68/train}\n")
    done = called("gemscrape", "crawl", "--site", "gems68", cwd=tmp_path, expect=2)
    assert done.stderr.startswith("error: 'crawl.gems68.folder'") and done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]
