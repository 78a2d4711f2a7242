"""A site's file: what it may say, and how wrong ones are refused."""

import shutil
from pathlib import Path

import pytest

from gemkit.errors import UserError
from scraper.params import crawl_params
from scraper.stores.config import SITES, known_sites, load_site
from scraper.stores.document import Document
from scraper.stores.html_store import READERS
from scraper.stores.records import Found
from tests.helpers.commands import called

DEMO = (SITES / "demo.toml").read_text()


def wrong(folder: Path, old: str, new: str) -> str:
    """The complaint about the demo's file with one change."""
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
        ('["www.gemdemo.test"]', '["other.test"]', "not among 'page_hosts'"),
        ('["www.gemdemo.test"]', '["*"]', "'page_hosts.0'"),
        ('"ul.stonesCategoryProduct a"', '"ul >>> a["', "'categories.card': is no CSS selector"),
        ('read = "css", selector = "h1.product-name"', 'read = "magic", selector = "h1"', "'product.title'"),
        (
            'read = "css", selector = "h1.product-name"',
            'read = "url", pattern = "(("',
            "no regular expression",
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
            "either 'next' or 'page'",
        ),
        ('key = "image"', 'key = "image"\nsize = 3', "unknown key 'images.1.size'"),
        ('contact = "shop@gemdemo.test"', 'contact = "a\\r\\nX-Evil: 1"', "'contact'"),
        ("[limits]", "[limits", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message in wrong(tmp_path, old, new)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b'title = "Gr\xfcn"')
    (tmp_path / "folder.toml").mkdir()
    for name, message in (
        ("none", "does not exist"),
        ("latin", "not valid TOML"),
        ("folder", "cannot be read"),
    ):
        with pytest.raises(UserError, match=message):
            load_site(str(tmp_path / f"{name}.toml"))
    shutil.copy(SITES / "demo.toml", tmp_path / "My Shop.toml")
    with pytest.raises(UserError, match="file's name"):
        load_site(str(tmp_path / "My Shop.toml"))


def test_an_unknown_site_is_answered_with_the_known_ones() -> None:
    for name in ("nope", "../sites/demo", ""):
        with pytest.raises(UserError, match="known are demo, gempundit"):
            load_site(name)


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


def test_the_command_says_it_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text("title = 1")
    for site in ("nope", "none.toml", "shop.toml", "gempundit"):
        done = called("gemscrape", "crawl", "--site", site, cwd=tmp_path, expect=2)
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()
    assert called("gemscrape", "crawl", cwd=tmp_path, expect=2).stderr
    called("gemscrape", "crawl", "--site", "demo", "--params", "none.yaml", cwd=tmp_path, expect=2)


def read(site: str, role: str, url: str, html: str) -> Found:
    store = load_site(site)
    return READERS[store.kind](store, role, Document(url, html.encode()))  # type: ignore[arg-type]


def test_gempundit_pages_are_read_as_recorded() -> None:
    shop = "https://www.gempundit.com"
    index = (
        f'<ul class="stonesCategoryProduct"><a href="{shop}/gemstones/opal">'
        '<span class="productNameH2"> Opal\n</span><b>new</b></a>'
        '<a href="/gemstones/ruby"><span class="productNameH2">Ruby (Manik)</span></a><a>x</a></ul>'
    )
    assert read("gempundit", "start", f"{shop}/gemstones", index).categories == [
        ("Opal", f"{shop}/gemstones/opal"),
        ("Ruby (Manik)", f"{shop}/gemstones/ruby"),
    ]
    category = (
        '<a class="product-image dataimage" href="/gemstones/opal/opal-gp7?a=1#x"><img></a>'
        '<a class="product-image" href="/other"></a><ul><li>1<li class="current">16</ul>'
    )
    found = read("gempundit", "category", f"{shop}/gemstones/opal", category)
    assert (found.products, found.last) == ([f"{shop}/gemstones/opal/opal-gp7?a=1"], 16)
    image = '<img src="//imgcdn1.gempundit.com/m/gp7-1-010203.jpg?w=9">'
    product = f'<div class="item product_thumb_forHeight">{image}</div>'
    found = read("gempundit", "product", f"{shop}/gemstones/opal/opal-gp7", product)
    assert found.product is not None and found.product.product_id == "gp7" and found.product.title is None
    assert found.product.images == ["https://imgcdn1.gempundit.com/m/gp7-1-010203.jpg"]


@pytest.mark.parametrize(
    "json_ld",
    [
        '{"@type": "Product", "image": "/a.jpg", "name": "Opal"}',
        '{"@type": "Product", "image": ["/a.jpg"], "name": ["Opal"]}',
        '[{"@type": "Thing"}, {"@type": ["Product"], "image": {"url": "/a.jpg"}, "name": "Opal"}]',
        '{"@graph": [{"@type": "Product", "image": [{"contentUrl": "/a.jpg"}], "name": "Opal"}]}',
        '{"@type": "ProductGroup", "name": "Opal", "hasVariant": [{"@type": "Product", "image": "/a.jpg"}]}',
    ],
)
def test_json_ld_in_all_its_shapes(json_ld: str) -> None:
    broken = '<script type="application/ld+json">{"@type": "Product",</script>'
    html = f'{broken}<script type="application/ld+json">{json_ld}</script>'
    product = read("gempundit", "product", "https://www.gempundit.com/opal-gp7", html).product
    assert product is not None
    assert (product.images, product.title) == (["https://www.gempundit.com/a.jpg"], "Opal")


def test_what_is_found_survives_being_kept() -> None:
    html = '<h1 class="product-name">A \ud800 B</h1><div class="product-view" data-product-id="x">'.encode(
        "utf-8", "surrogatepass"
    )
    store = load_site("demo")
    found = READERS["html"](store, "product", Document("http://www.gemdemo.test/p", html))
    assert Found.from_json(found.to_json()) == found
    assert found.product is not None and (found.product.title or "").encode()
