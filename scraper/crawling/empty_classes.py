"""Classes of which every page was read, and that still show nothing: empty, or not as the site file says."""

from collections.abc import Mapping, Set
from typing import NamedTuple

from gemkit.text import printable
from scraper.http.reason import Outcome, Reason
from scraper.monitoring.counted import counted
from scraper.monitoring.missing import UnreadPage
from scraper.tables import ImageStatus, ReasonKind

#: So many classes are named.
_CLASSES = 20

_NO_IMAGE = Outcome(ImageStatus.INVALID, Reason(ReasonKind.PARSER, "shows no image"))


class EmptyClasses(NamedTuple):
    """`notes` name the classes; `pages` are those of their products, without an image."""

    notes: list[str]
    pages: list[UnreadPage]


def empty_classes(listed: Mapping[str, Set[str]], others: Set[str], site: str) -> EmptyClasses:
    """The classes that show no image, but for `others`; `listed` are the URLs of the products of each.

    A class without products may be sold out, and a single product may have no picture yet: they are named
    only. Two products or more without any image are missing.
    """
    empty = {name: urls for name, urls in sorted(listed.items()) if name not in others}
    notes = [_note(name, len(urls), site) for name, urls in list(empty.items())[:_CLASSES]]
    if len(empty) > _CLASSES:
        notes.append(f"and {counted(len(empty) - _CLASSES, 'more class', 'more classes')} show nothing")
    several = {name: urls for name, urls in empty.items() if len(urls) > 1}
    pages = [UnreadPage([name], False, _NO_IMAGE, lost=True) for name, urls in several.items() for _ in urls]
    return EmptyClasses(notes, pages)


def _note(name: str, products: int, site: str) -> str:
    if products:
        return (
            f"the class '{printable(name)}' shows no image on {counted(products, 'product page')}: "
            f"check 'images' in the file of the site '{site}'"
        )
    return (
        f"the class '{printable(name)}' lists no product: unless it is empty in the store, "
        f"check 'products' in the file of the site '{site}'"
    )
