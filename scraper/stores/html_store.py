"""Parse a store's pages: categories, further pages, products, images.

`PARSERS` holds one function for each kind of site. A kind that lists its products in another way (the JSON of
a shop system, a sitemap) is one more function here.
"""

import re
from collections.abc import Callable

from scraper.http.urls import url_key
from scraper.stores.config import HtmlSite
from scraper.stores.document import Document
from scraper.stores.element_text import text_of
from scraper.stores.records import PageContent, Product, Role, tidy

#: Raise it when a parser extracts other things from the same page: pages are then fetched again in full.
VERSION = 2


def parse_html(site: HtmlSite, role: Role, document: Document) -> PageContent:
    """Parse a page by the site's selectors and JSON-LD."""
    if role == "start":
        return PageContent(categories=_categories(site, document))
    if role == "product" or site.products is None:
        return PageContent(product=_product(site, document))
    pagination = site.pagination
    return PageContent(
        products=_links(document, site.products.link),
        next=next(iter(_links(document, pagination.next)), None) if pagination and pagination.next else None,
        last=_last(document, pagination.last) if pagination and pagination.last else None,
    )


PARSERS: dict[str, Callable[[HtmlSite, Role, Document], PageContent]] = {"html": parse_html}


def _categories(site: HtmlSite, document: Document) -> list[tuple[str, str]]:
    rules = site.categories
    found: dict[tuple[str, str], None] = {}
    for card in document.soup.select(rules.card):
        link = card.select_one(rules.link) if rules.link else card
        named = card.select_one(rules.name) if rules.name else card
        if link is None or named is None:
            continue
        name = tidy(str(named.get(rules.name_attribute) or "") if rules.name_attribute else text_of(named))
        url = url_key(str(link.get("href") or ""), document.url)
        if name and url and link.get("href"):
            found[name, url] = None
    return list(found)


def _links(document: Document, selector: str) -> list[str]:
    links = (
        url_key(str(element["href"]), document.url)
        for element in document.soup.select(selector)
        if element.get("href")
    )
    return list(dict.fromkeys(link for link in links if link))


def _last(document: Document, selector: str) -> int | None:
    numbers = [
        int(number)
        for element in document.soup.select(selector)
        for number in re.findall(r"\d{1,9}", text_of(element))
    ]
    return max(numbers, default=None)


def _product(site: HtmlSite, document: Document) -> Product:
    rules = site.product
    ids = [tidy(value) for value in rules.id.values(document)] if rules.id else []
    titles = [tidy(value) for value in rules.title.values(document)] if rules.title else []
    attributes = {}
    if rules.attributes:
        for row in document.soup.select(rules.attributes.row):
            name, value = row.select_one(rules.attributes.name), row.select_one(rules.attributes.value)
            if name is not None and value is not None:
                attributes[tidy(text_of(name))] = tidy(text_of(value))
    title = titles[0] if titles else None
    return Product(ids[0] if ids else document.url, title, attributes, _images(site, document))


def _images(site: HtmlSite, document: Document) -> list[str]:
    for images in site.images:
        urls = (
            url_key(value, document.url, images.strip_query) for value in images.extractor.values(document)
        )
        if found := list(dict.fromkeys(url for url in urls if url)):
            return found
    return []
