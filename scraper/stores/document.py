"""A fetched page: its HTML and its JSON-LD, each parsed once and only when needed."""

import json
import warnings
from collections.abc import Iterator
from functools import cached_property

from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning, XMLParsedAsHTMLWarning
from bs4.element import Tag
from requests.utils import parse_header_links

from scraper.stores.charset import decode_html
from scraper.stores.page_tree import parse_tree

# What a store sends is read as HTML, whatever it looks like.
warnings.filterwarnings("ignore", category=MarkupResemblesLocatorWarning)
warnings.filterwarnings("ignore", category=XMLParsedAsHTMLWarning)

#: What stands in these elements is not a part of the page.
_INERT = {"template", "svg", "math", "noscript", "textarea", "iframe", "noframes", "noembed", "xmp"}


class Document:
    """The page at `url`; `content` is its body.

    `charset` is the label in its Content-Type header, and `link` its Link header, if any.
    """

    def __init__(self, url: str, content: bytes, charset: str | None = None, link: str = ""):
        self.url = url
        self._content, self._charset, self._link = content, charset, link

    @cached_property
    def soup(self) -> BeautifulSoup:
        """The parsed HTML."""
        return parse_tree(decode_html(self._content, self._charset))

    @cached_property
    def meta(self) -> list[tuple[str, str]]:
        """Name and content of each `<meta>` of the page, in its head or, as crawlers tolerate, in its body.

        One in a template, in a picture, or in what a browser shows only without scripts is not the page's.
        """
        return [
            (str(name), str(element.get("content") or ""))
            for element in self.soup.find_all("meta")
            if (name := _name(element)) and not _is_inert(element)
        ]

    @cached_property
    def next_links(self) -> list[str]:
        """What `rel=next` marks: in links, in `<link>` elements, and in the Link header (RFC 8288)."""
        elements = self.soup.select('a[rel~="next" i], link[rel~="next" i]')
        headers = parse_header_links(self._link)
        return [str(element.get("href") or "") for element in elements] + [
            header["url"] for header in headers if "next" in header.get("rel", "").lower().split()
        ]

    @cached_property
    def products(self) -> list[dict[str, object]]:
        """The JSON-LD objects of type `Product` or `ProductGroup`; scripts with invalid JSON are skipped."""
        found: list[dict[str, object]] = []
        for script in self.soup.select('script[type="application/ld+json"]'):
            try:
                found.extend(_products(json.loads(script.get_text(), strict=False)))
            except (ValueError, RecursionError):  # also JSON that is nested too deeply
                continue
        return found


def _name(meta: Tag) -> object:
    return next((value for key in ("name", "property", "http-equiv") if (value := meta.get(key))), None)


def _is_inert(element: Tag) -> bool:
    return any(parent.name in _INERT for parent in element.parents)


def _products(content: object) -> Iterator[dict[str, object]]:
    nodes = [content]
    while nodes:
        node = nodes.pop()
        if isinstance(node, list):
            nodes.extend(reversed(node))
        elif isinstance(node, dict):
            kinds = node.get("@type")
            kinds = kinds if isinstance(kinds, list) else [kinds]
            if "Product" in kinds or "ProductGroup" in kinds:
                yield node
            nodes.extend(node.get(key) for key in ("mainEntity", "hasVariant", "@graph"))
