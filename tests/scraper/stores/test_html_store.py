"""Parsing a store's pages by its selectors and its JSON-LD."""

import pytest

from scraper.http.urls import LinkFault
from scraper.stores import page_links
from scraper.stores.config import load_site
from scraper.stores.document import Document
from scraper.stores.html_store import PARSERS
from scraper.stores.records import LONGEST_TEXT, PageContent


def parse(site: str, role: str, url: str, html: str) -> PageContent:
    store = load_site(site)
    return PARSERS[store.kind](store, role, Document(url, html.encode()))  # type: ignore[arg-type]


def test_gempundit_pages() -> None:
    shop = "https://www.gempundit.com"
    index = (
        f'<ul class="stonesCategoryProduct"><a href="{shop}/gemstones/opal">'
        '<span class="productNameH2"> Opal\n</span><b>new</b></a>'
        '<a href="/gemstones/ruby"><span class="productNameH2">Ruby (Manik)</span></a><a>x</a></ul>'
    )
    assert parse("gempundit", "start", f"{shop}/gemstones", index).categories == [
        ("Opal", f"{shop}/gemstones/opal"),
        ("Ruby (Manik)", f"{shop}/gemstones/ruby"),
    ]
    category = (
        '<a class="product-image dataimage" href="/gemstones/opal/opal-gp7?a=1#x"><img></a>'
        '<a class="product-image" href="/other"></a><ul><li>1<li class="current">16</ul>'
    )
    found = parse("gempundit", "category", f"{shop}/gemstones/opal", category)
    assert (found.products, found.last) == ([f"{shop}/gemstones/opal/opal-gp7?a=1"], 16)
    image = '<img src="//imgcdn1.gempundit.com/m/gp7-1-010203.jpg?w=9">'
    product = f'<div class="item product_thumb_forHeight">{image}</div>'
    found = parse("gempundit", "product", f"{shop}/gemstones/opal/opal-gp7", product)
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
    product = parse("gempundit", "product", "https://www.gempundit.com/opal-gp7", html).product
    assert product is not None
    assert (product.images, product.title) == (["https://www.gempundit.com/a.jpg"], "Opal")


def test_content_survives_json() -> None:
    html = '<h1 class="product-name">A \ud800 B</h1><div class="product-view" data-product-id="x">'.encode(
        "utf-8", "surrogatepass"
    )
    store = load_site("demo")
    found = PARSERS["html"](store, "product", Document("http://www.gemdemo.test/p", html))
    assert PageContent.from_json(found.to_json()) == found
    assert found.product is not None and (found.product.title or "").encode()


def test_the_header_s_charset_without_a_meta() -> None:
    index = '<ul class="stonesCategoryProduct"><a href="/c"><span class="productNameH2">Рубин</span></a></ul>'
    document = Document("https://www.gempundit.com/", index.encode("cp1251"), "windows-1251")
    categories = PARSERS["html"](load_site("gempundit"), "start", document).categories
    assert categories == [("Рубин", "https://www.gempundit.com/c")]


def product_page(images: str, more: str = "") -> PageContent:
    html = (
        f'<div class="product-view" data-product-id="7">{more}<div class="item product_thumb">{images}</div>'
    )
    return parse("demo", "product", "http://www.gemdemo.test/p", html)


def test_links_that_are_left_out_are_counted() -> None:
    links = ["data:image/gif;base64,R0lGOD", "http://user:x@shop.test/a.jpg", "http://[::1/", "", " "]
    links += [
        "javascript:void(0)",
        "/a.jpg?" + "x=1&" * 1_000_000,
        "data:image/png;base64," + "A" * 4_000_000,
    ]
    found = product_page("".join(f'<img src="{link}">' for link in [*links, "/good.jpg"]))
    assert found.product is not None and found.product.images == ["http://www.gemdemo.test/good.jpg"]
    assert found.left_out == {
        LinkFault.NO_HTTP: 3, LinkFault.USER_NAME: 1, LinkFault.INVALID: 1, LinkFault.TOO_LONG: 1,
    }  # fmt: skip
    assert PageContent.from_json(found.to_json()) == found


def test_a_page_with_more_links_than_any_shop_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_links, "MAX_LINKS", 500)
    found = product_page("".join(f'<img src="/{n}.jpg">' for n in range(505)))
    assert found.product is not None and len(found.product.images) == 500
    assert found.left_out == {LinkFault.TOO_MANY: 5}


@pytest.mark.heavy
def test_texts_of_any_length_are_cut() -> None:
    long = "very long " * 400_000
    row = f"<table class='product-attributes'><tr><th>{long}<td>{long}</table>"
    found = product_page('<img src="/a.jpg">', f'<h1 class="product-name">{long}</h1>{row}')
    assert found.product is not None and len(found.product.title or "") <= LONGEST_TEXT
    assert len(found.to_json()) < 4 * LONGEST_TEXT
    rows = "".join(f"<tr><th>{n}<td>{n}" for n in range(5_000))
    found = product_page("", f"<table class='product-attributes'>{rows}</table>")
    assert found.product is not None and len(found.product.attributes) == 1_000


@pytest.mark.parametrize("depth", [100, 100_000])
def test_json_ld_of_any_depth(depth: int) -> None:
    inner = '{"@type": "Product", "image": "/a.jpg"}'
    nested = '{"@graph": [' * depth + inner + "]}" * depth
    scripts = (f'<script type="application/ld+json">{text}</script>' for text in (nested, inner))
    found = parse("demo", "product", "http://www.gemdemo.test/p", "".join(scripts))
    assert found.product is not None and found.product.images == ["http://www.gemdemo.test/a.jpg"]


@pytest.mark.parametrize(
    ("stored", "pages"), [("null", []), ('"http://shop.test/2"', ["http://shop.test/2"])]
)
def test_what_earlier_versions_stored_is_read(stored: str, pages: list[str]) -> None:
    others = '"categories": [], "products": [], "last": 7, "product": null'
    content = PageContent.from_json(f'{{{others}, "next": {stored}}}')
    assert (content.last, content.next) == (7, pages)
