"""The published catalogue of gempundit.com as a shop: its categories, product pages and image links.

The lists are outside the project, next to it. They say which class lists which image. Which of the class's
products shows it follows from the number in the file's name; without one, the product is invented, always the
same way.
"""

import csv
import gzip
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from math import ceil
from urllib.parse import urlsplit

from benchmarks._shared import EXTERNAL
from benchmarks._unique_jpegs import template, with_comment

LISTS = EXTERNAL / "gempundit"

#: Pages beyond the end of a category repeat its last one.
_PAGE = re.compile(r"(/gemstones/[^/]+)(?:/page/(\d+))?")


@dataclass
class Product:
    """The path of a product's page and of the images on it."""

    path: str
    images: list[str] = field(default_factory=list)


@dataclass
class Category:
    """A class of the index; its products are spread evenly over its pages."""

    name: str
    pages: int
    products: list[Product] = field(default_factory=list)


def missing() -> str | None:
    """Why the replica cannot be built, in a sentence; None if it can."""
    return None if LISTS.is_dir() else f"Skipped: the published lists are not in '{LISTS}'."


class Replica:
    """A share (`part`, 0 to 1) of the catalogue; `find` returns the content of a path."""

    def __init__(self, part: float = 1.0):
        self.categories = _read_catalogue(part)
        products = [product for category in self.categories.values() for product in category.products]
        self.products = {product.path: product for product in products}
        self.images = {path for product in products for path in product.images}
        self._template = template(32)

    @property
    def pages(self) -> int:
        """Pages that a full crawl requests, including one beyond the end of each category."""
        return 1 + sum(category.pages + 1 for category in self.categories.values()) + len(self.products)

    @property
    def links(self) -> int:
        """Image links on all product pages."""
        return sum(len(product.images) for product in self.products.values())

    def find(self, path: str) -> tuple[str, bytes] | None:
        """Content type and body; None if there is nothing at the path."""
        if path in self.images:
            return "image/jpeg", self.image(path)
        if path == "/gemstones":
            return "text/html", self._index()
        if product := self.products.get(path):
            return "text/html", _product_page(product)
        if (match := _PAGE.fullmatch(path)) and (category := self.categories.get(match[1])):
            return "text/html", _category_page(category, int(match[2] or 1))
        return None

    def image(self, path: str) -> bytes:
        """The bytes of an image."""
        return with_comment(self._template, path)

    def _index(self) -> bytes:
        cards = (
            f'<li><a href="{path}"><span class="productNameH2">{escape(category.name)}</span></a></li>'
            for path, category in self.categories.items()
        )
        return _html("Gemstones", f'<ul class="stonesCategoryProduct">{"".join(cards)}</ul>')


def _category_page(category: Category, number: int) -> bytes:
    number = min(number, category.pages)
    first, last = (len(category.products) * page // category.pages for page in (number - 1, number))
    cards = (
        f'<div class="item"><a class="product-image dataimage" href="{product.path}">View</a></div>'
        for product in category.products[first:last]
    )
    return _html(category.name, f'{"".join(cards)}<ol class="pages"><li class="current">{number}</li></ol>')


def _product_page(product: Product) -> bytes:
    title = product.path.rpartition("/")[2].replace("-", " ").title()
    gallery = (
        f'<div class="item product_thumb_forHeight"><img src="{path}?tr=w-300"></div>'
        for path in product.images
    )
    data = f'<script type="application/ld+json">{{"@type": "Product", "name": "{title}"}}</script>'
    return _html(title, f"{data}<h1>{title}</h1>{''.join(gallery)}")


def _html(title: str, body: str) -> bytes:
    return (
        f"<!doctype html><html><head><title>{escape(title)}</title></head><body>{body}</body></html>".encode()
    )


def _read_catalogue(part: float) -> dict[str, Category]:
    """The categories with products, by their path."""
    categories = {
        urlsplit(row["category_url"]).path: Category(row["class"], max(1, ceil(int(row["pages"]) * part)))
        for row in _rows("category_pages.csv.gz")
    }
    by_class = {category.name: category for category in categories.values()}
    for row in {row["product_url"]: row for row in _rows("product_links.csv.gz")}.values():
        name = row["class"].replace("_", "/")  # the lists' class names were file names
        by_class[name].products.append(Product(urlsplit(row["product_url"]).path))
    for product, path in _assign_products(_rows("image_links.csv.gz"), by_class):
        product.images.append(path)
    for category in categories.values():
        products = [product for product in category.products if product.images]  # of others no link is known
        category.products = [
            product for n, product in enumerate(products) if int((n + 1) * part) > int(n * part)
        ]
    return {path: category for path, category in categories.items() if category.products}


def _assign_products(
    links: Iterator[dict[str, str]], by_class: dict[str, Category]
) -> Iterator[tuple[Product, str]]:
    """The product and image of each link: the product with the image's number, or the next one in turn."""
    numbered: dict[tuple[str, str], Product] = {}
    for name, category in by_class.items():
        for product in category.products:
            if match := re.search(r"-(gp\d+)$", product.path):
                numbered[name, match[1]] = product
    taken: set[tuple[str, str]] = set()
    turn: defaultdict[str, int] = defaultdict(int)
    for row in links:
        name, path = row["class"].replace("_", "/"), urlsplit(row["image_url"]).path
        match = re.search(r"/(gp\d+)-", path)
        products = by_class[name].products
        product = numbered.get((name, match[1])) if match else None
        while product is None or (product.path, path) in taken:
            product = products[turn[name] % len(products)]
            turn[name] += 1
        taken.add((product.path, path))
        yield product, path


def _rows(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(LISTS / name, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
