"""Parse a store's pages: categories, further pages, products, images.

`PARSERS` holds one function for each kind of site. A kind that lists its products in another way (the JSON of
a shop system, a sitemap) is one more function here.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from bs4 import Tag

from scraper.stores.config import HtmlSite
from scraper.stores.document import Document
from scraper.stores.element_text import text_of
from scraper.stores.next_page import NextPages, next_pages
from scraper.stores.page_links import MAX_LINKS, PageLinks
from scraper.stores.records import PageContent, Product, Role, tidy

#: Raise it when a parser extracts other things from the same page: pages are then fetched again in full.
VERSION = 4

#: Attributes of one product that are stored: real tables have some tens of rows.
_MAX_ATTRIBUTES = 1_000


def parse_html(site: HtmlSite, role: Role, document: Document) -> PageContent:
    """Parse a page by the site's selectors and JSON-LD."""
    links = PageLinks(document.url)
    if role == "start":
        return PageContent(categories=_categories(site, document, links), left_out=links.left_out)
    if role == "product" or site.products is None:
        return PageContent(product=_product(site, document, links), left_out=links.left_out)
    pagination = site.pagination
    selector = pagination.next if pagination else None
    following = next_pages(document, selector, links) if selector else NextPages([], False)
    return PageContent(
        products=links.keys(_hrefs(document.soup.select(site.products.link))),
        next=following.urls,
        next_declared=following.declared,
        last=_last(document, pagination.last) if pagination and pagination.last else None,
        left_out=links.left_out,
    )


PARSERS: dict[str, Callable[[HtmlSite, Role, Document], PageContent]] = {"html": parse_html}


def _categories(site: HtmlSite, document: Document, links: PageLinks) -> list[tuple[str, str]]:
    rules = site.categories
    found: dict[tuple[str, str], None] = {}
    for card in document.soup.select(rules.card, limit=MAX_LINKS):
        link = card.select_one(rules.link) if rules.link else card
        named = card.select_one(rules.name) if rules.name else card
        if link is None or named is None:
            continue
        name = tidy(str(named.get(rules.name_attribute) or "") if rules.name_attribute else text_of(named))
        url = links.key(str(link.get("href") or "")) if name else None
        if url is not None:
            found[name, url] = None
    return list(found)


def _hrefs(elements: Iterable[Tag]) -> Iterator[str]:
    return (str(element.get("href") or "") for element in elements)


def _last(document: Document, selector: str) -> int | None:
    numbers = [
        int(number)
        for element in document.soup.select(selector)
        for number in re.findall(r"\d{1,9}", text_of(element))
    ]
    return max(numbers, default=None)


def _product(site: HtmlSite, document: Document, links: PageLinks) -> Product:
    rules = site.product
    ids = rules.id.values(document) if rules.id else []
    titles = rules.title.values(document) if rules.title else []
    attributes = {}
    if rules.attributes:
        for row in document.soup.select(rules.attributes.row, limit=_MAX_ATTRIBUTES):
            name, value = row.select_one(rules.attributes.name), row.select_one(rules.attributes.value)
            if name is not None and value is not None:
                attributes[tidy(text_of(name))] = tidy(text_of(value))
    title = tidy(titles[0]) if titles else None
    return Product(tidy(ids[0]) if ids else document.url, title, attributes, _images(site, document, links))


def _images(site: HtmlSite, document: Document, links: PageLinks) -> list[str]:
    for images in site.images:
        if found := links.keys(images.extractor.values(document), images.strip_query):
            return found
    return []
