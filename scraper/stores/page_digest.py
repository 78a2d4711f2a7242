"""Whether two pages say the same, although each has its own address, time or token in it."""

import hashlib
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from bs4.element import NavigableString, Tag

from scraper.stores.document import Document

#: A long word or part of a path with a digit, or a time of day: an id of the request, or its time.
_VOLATILE_WORD, _VOLATILE_PART = 12, 16
_TIME = re.compile(r"\d:\d\d")


def page_digest(document: Document, asked: str) -> str:
    """The digest of a page's words and links, which was requested as the URL `asked`.

    Addresses of the page itself, queries, tokens and times are left out.
    """
    own = {path for url in (asked, document.url) if len(path := urlsplit(url).path) > 1}
    digest = hashlib.sha256()
    for text in _texts(document):
        if not any(path in text for path in own):
            digest.update(text.encode("utf-8", "replace") + b"\n")
    return digest.hexdigest()[:16]


def _texts(document: Document) -> Iterator[str]:
    for node in document.soup.descendants:
        if type(node) is NavigableString:
            yield from (word for word in node.split() if not _is_volatile(word))
        elif isinstance(node, Tag):
            for name in ("href", "src"):
                if link := str(node.get(name) or ""):
                    yield _without_tokens(link)


def _is_volatile(word: str) -> bool:
    long = len(word) >= _VOLATILE_WORD
    return (long and any(map(str.isdigit, word))) or _TIME.search(word) is not None


def _without_tokens(link: str) -> str:
    parts = re.split(r"[?#]", link, maxsplit=1)[0].split("/")
    return "/".join(part for part in parts if not _is_token(part))


def _is_token(part: str) -> bool:
    return len(part) >= _VOLATILE_PART and part.strip("=,~").isalnum() and any(map(str.isdigit, part))
