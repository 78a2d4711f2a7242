"""The demo store's pages, as HTML strings.

Two virtual hosts, distinguished by the Host header: pages on `www.gemdemo.test` and images on
`img.gemdemo.test`.

`/gemstones` (index)
    `ul.stonesCategoryProduct a[href]`, class name in `span.productNameH2` inside it.
`/gemstones/<slug>`, `/gemstones/<slug>/page/N` (category; beyond the last page: the last page)
    Class name `h1.category-name`; products `a.product-image.dataimage[href]`; next page `link[rel=next]`
    and `a[rel=next]`; page numbers in `ul.pagination`, the page itself `li.current`.
`/product/<product id>-<slug>` (product)
    Title `h1.product-name`; id `div.product-view[data-product-id]`; images `div.item.product_thumb img[src]`,
    to be read without the query `?w=500`; attributes `table.product-attributes tr`, key `th`, value `td`;
    breadcrumb `nav.breadcrumbs a`; JSON-LD `Product` with `name, sku (the id), category, image (list)`.
`/robots.txt`
    Disallows `/checkout`, `/customer`, `/search`, `/trade-only`; names the sitemap. The index links one
    category below `/trade-only`, which a polite crawler does not fetch.
`/sitemap.xml`
    All product pages, with their images in the image sitemap namespace.

Images: `http://img.gemdemo.test/media/catalog/product/<a>/<b>/<file name>`; a query has no effect. The
image host's robots.txt disallows `/media/wholesale`, to which a few galleries link.

Links are absolute and contain no port. Every category that lists a product links to the same product page.
One product has JSON-LD but no gallery.
"""

import json
from html import escape

from scraper.demo_store.catalogue import TRADE_ONLY, Catalogue, Product, slug

PAGE_HOST = "www.gemdemo.test"
IMAGE_HOST = "img.gemdemo.test"
PAGE_SIZE = 24

_ROOT = f"http://{PAGE_HOST}"

ROBOTS = {
    PAGE_HOST: (
        "User-agent: *\nDisallow: /checkout\nDisallow: /customer\nDisallow: /search\nDisallow: /trade-only\n"
        f"\nSitemap: {_ROOT}/sitemap.xml\n"
    ),
    IMAGE_HOST: "User-agent: *\nDisallow: /media/wholesale\n",
}


def image_url(path: str) -> str:
    """Absolute URL of an image, without a query."""
    return f"http://{IMAGE_HOST}{path}"


def category_path(name: str) -> str:
    """Path of the first page of a class."""
    return f"/trade-only/{slug(name)}" if name == TRADE_ONLY else f"/gemstones/{slug(name)}"


def page(catalogue: Catalogue, path: str) -> str | None:
    """The HTML at a path of the page host; None if there is no such page."""
    if path in ("/", "/gemstones"):
        return _index(catalogue)
    if path.startswith("/product/"):
        product = catalogue.products.get(path.removeprefix("/product/").partition("-")[0])
        return _product(product, catalogue) if product and product.path == path else None
    category, _, number = path.partition("/page/")
    for name in catalogue.classes:
        if category_path(name) == category and (number.isdigit() or not number):
            return _category(catalogue, name, int(number or 1))
    return None


def sitemap(catalogue: Catalogue) -> str:
    """The sitemap: all product pages and their images."""
    entries = []
    for product in catalogue.products.values():
        images = "".join(
            f"<image:image><image:loc>{escape(image_url(path))}</image:loc></image:image>"
            for path in product.photos
        )
        entries.append(
            f"<url><loc>{_ROOT}{product.path}</loc><lastmod>{product.added}</lastmod>{images}</url>"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
        'xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">\n'
        + "\n".join(entries)
        + "\n</urlset>\n"
    )


def no_image() -> str:
    """The page that the image host serves, with status 200, for a lost image."""
    return _frame("Image not available", "<p>The image you asked for is being processed.</p>")


def _frame(title: str, body: str, head: str = "") -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>{head}</head>
<body><header><a href="{_ROOT}/gemstones">All gemstones</a> <a href="{_ROOT}/customer/account">Account</a>
<a href="{_ROOT}/checkout/cart">Cart</a></header>
{body}
<footer><img src="http://{IMAGE_HOST}/static/logo.png" alt="Gem Demo"></footer></body></html>
"""


def _index(catalogue: Catalogue) -> str:
    items = "\n".join(
        f'<li><a href="{_ROOT}{category_path(name)}">'
        f'<span class="productNameH2">{escape(name)}</span></a></li>'
        for name in catalogue.classes
    )
    return _frame("Gemstones", f'<ul class="stonesCategoryProduct">\n{items}\n</ul>')


def _category(catalogue: Catalogue, name: str, number: int) -> str:
    products = catalogue.classes[name]
    last = max(1, -(-len(products) // PAGE_SIZE))
    number = min(max(number, 1), last)
    shown = products[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
    cards = "\n".join(_card(catalogue.products[product]) for product in shown)

    def link(target: int) -> str:
        return f"{_ROOT}{category_path(name)}" + (f"/page/{target}" if target > 1 else "")

    numbers = "".join(
        f'<li class="current">{n}</li>' if n == number else f'<li><a href="{link(n)}">{n}</a></li>'
        for n in range(1, last + 1)
    )
    head = ""
    if number < last:
        head = f'<link rel="next" href="{link(number + 1)}">'
        numbers += f'<li><a rel="next" href="{link(number + 1)}">Next</a></li>'
    body = (
        f'<h1 class="category-name">{escape(name)}</h1>\n<div class="products-grid">\n{cards}\n</div>\n'
        f'<ul class="pagination">{numbers}</ul>'
    )
    return _frame(name, body, head)


def _card(product: Product) -> str:
    return (
        f'<div class="product-card"><a class="product-image dataimage" href="{_ROOT}{product.path}">'
        f'<img src="{image_url(product.photos[0])}?w=200" alt="{escape(product.title)}"></a>'
        f'<a class="product-title" href="{_ROOT}{product.path}">{escape(product.title)}</a></div>'
    )


def _product(product: Product, catalogue: Catalogue) -> str:
    title = escape(product.title)
    gallery = "\n".join(
        f'<div class="item product_thumb"><img src="{image_url(path)}?w=500" alt="{title}"></div>'
        for path in product.photos
    )
    rows = "".join(
        f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in product.attributes.items()
    )
    crumbs = " ".join(
        f'<a href="{_ROOT}{category_path(name)}">{escape(name)}</a>' for name in product.store_classes
    )
    offer = {"@type": "Offer", "priceCurrency": "EUR", "price": str(50 + int(product.product_id[2:]) % 900)}
    linked_data = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": product.title,
        "sku": product.product_id,
        "category": product.store_classes[0],
        "image": [image_url(path) for path in product.photos],
        "offers": offer,
    }
    body = (
        f'<nav class="breadcrumbs">{crumbs}</nav>\n'
        f'<div class="product-view" data-product-id="{product.product_id}">\n'
        f'<h1 class="product-name">{title}</h1>\n'
        f'{gallery if product.gallery else ""}\n<table class="product-attributes">{rows}</table>\n</div>'
    )
    script = f'<script type="application/ld+json">{json.dumps(linked_data)}</script>'
    return _frame(product.title, body, script)
