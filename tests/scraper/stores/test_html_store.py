"""Parsing a store's pages by its selectors and its JSON-LD."""

import pytest

from scraper.stores.config import load_site
from scraper.stores.document import Document
from scraper.stores.html_store import PARSERS
from scraper.stores.records import PageContent


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
