"""Site files: what is valid, and how wrong ones are refused."""

import shutil
from pathlib import Path

import pytest

from gemkit.errors import UserError
from gemkit.project import Project
from scraper.params import crawl_params
from scraper.stores.config import SITES, known_sites, load_site
from tests.helpers.commands import called
from tests.helpers.crawl_shop import Shop
from tests.helpers.link_sites import links_site
from tests.helpers.project import empty_project

DEMO = (SITES / "demo.toml").read_text()


def message_for(folder: Path, old: str, new: str) -> str:
    """The error message for the demo's file with one change."""
    assert old in DEMO
    path = folder / "shop.toml"
    path.write_text(DEMO.replace(old, new))
    with pytest.raises(UserError) as error:
        load_site(str(path))
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", known_sites())
def test_known_sites_load_and_round_trip(name: str) -> None:
    site = load_site(name)
    assert site.name == name
    assert type(site).model_validate(site.model_dump()) == site


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[products]", "[produce]", "unknown key 'produce'"),
        ("concurrency = 8", "concurency = 8", "unknown key 'limits.concurency'"),
        ("concurrency = 8", "concurrency = 0", "'limits.concurrency'"),
        ("concurrency = 8", 'concurrency = "many"', "'limits.concurrency'"),
        ("requests_per_second = 60", "requests_per_second = -1", "'limits.requests_per_second'"),
        ('start_url = "http://www.gemdemo.test/gemstones"\n', "", "'start_url' is missing"),
        ("http://www.gemdemo.test/gemstones", "ftp://www.gemdemo.test/", "'start_url' must be an http"),
        ('["www.gemdemo.test"]', '["other.test"]', "not in 'page_hosts'"),
        ('["www.gemdemo.test"]', '["*"]', "'page_hosts[0]': must be a lower-case host"),
        ('"ul.stonesCategoryProduct a"', '"ul >>> a["', "'categories.card': is not a valid CSS selector"),
        (
            'read = "css", selector = "h1.product-name"',
            'read = "magic", selector = "h1"',
            "'product.title': 'read' must be one of 'css', 'json-ld', 'url' (found 'magic')",
        ),
        (
            'read = "css", selector = "h1.product-name"',
            'read = "url", pattern = "(("',
            "not a valid regular expression",
        ),
        (
            'read = "css", selector = "h1.product-name"',
            'read = "url", pattern = "x"',
            "'product.title.pattern'",
        ),
        ('next = "a[rel=next]"', 'page = "/page/7"\nlast = "li"', "{category} and then {number}"),
        (
            'next = "a[rel=next]"',
            'next = "a"\npage = "{category}/{number}"\nlast = "b"',
            "either 'next', or 'page'",
        ),
        ('key = "image"', 'key = "image"\nsize = 3', "unknown key 'images[1].size'"),
        ('contact = "shop@gemdemo.test"', 'contact = "a\\r\\nX-Evil: 1"', "'contact'"),
        ("[limits]", "[limits", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message in message_for(tmp_path, old, new)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b'title = "Gr\xfcn"')
    (tmp_path / "folder.toml").mkdir()
    for name, message in (
        ("none", "does not exist"),
        ("latin", "not valid TOML"),
        ("folder", "cannot be read"),
    ):
        with pytest.raises(UserError, match=message):
            load_site(tmp_path / f"{name}.toml")
    shutil.copy(SITES / "demo.toml", tmp_path / "My Shop.toml")
    with pytest.raises(UserError, match="file's name"):
        load_site(tmp_path / "My Shop.toml")


def test_an_unknown_site_gets_a_list_of_the_known_ones() -> None:
    for name in ("nope", "../sites/demo", ""):
        with pytest.raises(UserError, match="use one of demo, gempundit"):
            load_site(name)


def test_the_sites_of_a_project_come_first(tmp_path: Path) -> None:
    project = Project(tmp_path)
    assert known_sites(project) == known_sites(), "a project without the folder `sites` has the built-in ones"
    project.sites.mkdir()
    (project.sites / "mine.toml").write_text(DEMO.replace("Demo store", "Mine"))
    assert load_site("mine", project).title.startswith("Mine")
    assert load_site("demo", project) == load_site("demo")
    (project.sites / "demo.toml").write_text(DEMO.replace("Demo store", "Another demo store"))
    assert load_site("demo", project).title.startswith("Another")
    assert list(known_sites(project)) == sorted([*known_sites(), "mine"])
    assert known_sites(project)["demo"] == project.sites / "demo.toml"


def test_an_unknown_site_names_the_folder_that_was_searched(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"neither in '{tmp_path}/sites' nor built in; use one of demo, gemp"):
        load_site("mine", Project(tmp_path))


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("demo: {seed: one}", "'crawl.demo.seed'"),
        ("demo: {sede: 1}", "unknown key 'crawl.demo.sede'"),
        ("demo: {scale: 0}", "'crawl.demo.scale'"),
        ("demo: [1]", "'crawl.demo'"),
    ],
)
def test_wrong_parameters(tmp_path: Path, section: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"crawl:\n  {section}\n")
    with pytest.raises(UserError, match=message):
        crawl_params(path, load_site("demo"))


def test_the_command_prints_one_sentence(tmp_path: Path) -> None:
    empty_project(tmp_path)
    (tmp_path / "shop.toml").write_text("title = 1")
    for site in ("nope", "none.toml", "shop.toml", "gempundit"):
        done = called("gemscrape", "crawl", "--site", site, cwd=tmp_path, expect=2)
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()
    assert called("gemscrape", "crawl", cwd=tmp_path, expect=2).stderr
    called("gemscrape", "crawl", "--site", "demo", "--params", "none.yaml", cwd=tmp_path, expect=2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('links = "lists/shop.csv"', "", "the key 'links' is missing"),
        ('"links"', '"list"', "'kind' must be one of html, links"),
        ('title = "Shop"', 'title = "Shop"\npage_hosts = ["x.test"]', "unknown key 'page_hosts'"),
        ('title = "Shop"', 'title = "Shop"\nclass_colunm = "a"', "unknown key 'class_colunm'"),
        ('title = "Shop"', 'title = "Shop"\nimage_column = 3', "'image_column'"),
        ('read = "url"', 'read = "css"', "'product.id.read'"),
        ("'/(gp\\d+)-'", "'/gp'", "'product.id.pattern': needs a group"),
    ],
)
def test_a_wrong_links_site_is_refused_by_key(
    tmp_path: Path, shop: Shop, old: str, new: str, message: str
) -> None:
    path = tmp_path / links_site(tmp_path, shop, [])
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(UserError) as error:
        load_site(str(path))
    assert message in str(error.value) and str(path) in str(error.value)


def test_the_fingerprint_of_stored_pages_keeps_the_former_name_of_an_extractor() -> None:
    images = load_site("demo").model_dump(by_alias=True)["images"]
    assert [set(image) for image in images] == [{"way", "strip_query"}] * 2, "else every store is read again"


def test_a_broken_site_file_hides_no_other_site(tmp_path: Path) -> None:
    empty_project(tmp_path)
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites/broken.toml").write_text("title = ")
    done = called("gemscrape", "sites", cwd=tmp_path, expect=2)
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(known_sites())
    assert done.stderr.startswith("error: 'sites/broken.toml' is not valid TOML")
