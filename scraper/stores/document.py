"""A fetched page: its HTML and its JSON-LD, each parsed once and only when needed."""

import json
from collections.abc import Iterator
from functools import cached_property

from bs4 import BeautifulSoup
from w3lib.encoding import html_to_unicode

from scraper.stores.page_tree import parse_tree


class Document:
    """The page at `url`; `content` is its body, in whatever encoding it declares."""

    def __init__(self, url: str, content: bytes):
        self.url = url
        self._content = content

    @cached_property
    def soup(self) -> BeautifulSoup:
        """The parsed HTML."""
        return parse_tree(html_to_unicode(None, self._content)[1])

    @cached_property
    def products(self) -> list[dict[str, object]]:
        """The JSON-LD objects of type `Product` or `ProductGroup`; scripts with invalid JSON are skipped."""
        found: list[dict[str, object]] = []
        for script in self.soup.select('script[type="application/ld+json"]'):
            try:
                found.extend(_products(json.loads(script.get_text(), strict=False)))
            except (ValueError, RecursionError):
                continue
        return found


def _products(node: object) -> Iterator[dict[str, object]]:
    if isinstance(node, list):
        for item in node:
            yield from _products(item)
    elif isinstance(node, dict):
        kinds = node.get("@type")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if "Product" in kinds or "ProductGroup" in kinds:
            yield node
        for key in ("@graph", "hasVariant", "mainEntity"):
            yield from _products(node.get(key))
