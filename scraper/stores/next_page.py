"""Which link leads to the next page of a category, when a selector matches more than that one."""

import re
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

from bs4.element import NavigableString, PageElement, Tag

from scraper.http.urls import url_key
from scraper.stores.document import Document
from scraper.stores.page_links import PageLinks

#: Matches of the selector that are looked at: the longest rows of page numbers have some hundreds.
_MAX_MATCHES = 1_000

#: Of each attribute, so many characters are read, and of each link so many elements and texts.
_READ, _INSIDE = 200, 30

#: How links name the previous and the next page, in several languages.
_PREVIOUS = re.compile(
    r"prev(?!iew|ent|ail)|\bback\b|zurück|vorherig|précéd|preceden|anterior|назад|предыдущ|上一|前へ|前の"
)
_NEXT = re.compile(
    r"next|weiter|nächst|suivant|siguiente|próxim|seguinte|successiv|следующ|впер[её]д|下一|次"
)

_TO_PREVIOUS, _TO_NEXT = set("«‹←<⟨◀❮"), set("»›→>⟩▶❯")


class _Rank(IntEnum):
    """How likely a link leads to the next page; the first ones are the best."""

    DECLARED = 0
    NAMED = 1
    UNKNOWN = 2
    PREVIOUS = 3


class NextPages(NamedTuple):
    """Pages that may be the next one, the best first; `declared`: the page calls that one the next."""

    urls: list[str]
    declared: bool


def next_pages(document: Document, selector: str, links: PageLinks) -> NextPages:
    """The links that match the selector and do not lead to the page itself or to the previous one.

    Those that the page marks with `rel=next`, wherever it does so, come first, then those that say "next".
    """
    marked = {url_key(link, document.url) for link in document.next_links}
    ranks: dict[str, _Rank] = {}
    for element in document.soup.select(selector, limit=_MAX_MATCHES):
        url = links.key(str(element.get("href") or ""))
        if url is not None and url != document.url:
            rank = _Rank.DECLARED if url in marked else _rank(element)
            ranks[url] = min(rank, ranks.get(url, rank))
    urls = sorted((url for url in ranks if ranks[url] is not _Rank.PREVIOUS), key=ranks.__getitem__)
    return NextPages(urls, bool(urls) and ranks[urls[0]] <= _Rank.NAMED)


def _rank(element: Tag) -> _Rank:
    relations = {relation.lower() for relation in _values(element, "rel")}
    if "next" in relations:
        return _Rank.DECLARED
    if relations & {"prev", "previous"}:
        return _Rank.PREVIOUS
    nodes = _first_nodes(element)
    text = " ".join(str(node)[:_READ] for node in nodes if type(node) is NavigableString)
    tags = [node for node in nodes if isinstance(node, Tag)]
    words = " ".join([text, *_names([*_around(element), *tags])]).lower()
    to_previous = _PREVIOUS.search(words) is not None or _is_arrow(text, _TO_PREVIOUS)
    to_next = _NEXT.search(words) is not None or _is_arrow(text, _TO_NEXT)
    if to_previous == to_next:
        return _Rank.UNKNOWN
    return _Rank.NAMED if to_next else _Rank.PREVIOUS


def _is_arrow(text: str, arrows: set[str]) -> bool:
    characters = set("".join(text.split()))
    return bool(characters) and characters <= arrows


def _first_nodes(element: Tag) -> list[PageElement]:
    """The element, and the first elements and texts in it."""
    nodes: list[PageElement] = []
    ahead: list[PageElement] = [element]
    while ahead and len(nodes) <= _INSIDE:
        node = ahead.pop()
        nodes.append(node)
        if isinstance(node, Tag):
            ahead.extend(reversed(node.contents[:_INSIDE]))
    return nodes


def _around(element: Tag) -> Iterator[Tag]:
    """The element that contains only this link, as the items of many lists do."""
    name, parent = element.name, element.parent
    others = element.find_previous_sibling(name) or element.find_next_sibling(name)
    if others is None and parent is not None:
        yield parent


def _names(tags: Iterable[Tag]) -> Iterator[str]:
    for tag in tags:
        for attribute in ("class", "id", "title", "alt", "aria-label"):
            yield " ".join(_values(tag, attribute))[:_READ]


def _values(element: Tag, attribute: str) -> list[str]:
    """The words of an attribute; some attributes of HTML are lists."""
    value: str | list[str] | None = element.get(attribute)
    return value.split() if isinstance(value, str) else list(value or [])
