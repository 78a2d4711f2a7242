"""Whether two pages say the same, although each has its own address, time, number or token in it."""

import hashlib
import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from bs4.element import NavigableString, Tag

from scraper.stores.document import Document

#: A long word or part of a path with a digit, or a time of day: an id of the request, or its time.
_VOLATILE_WORD, _VOLATILE_PART = 12, 16
_TIME = re.compile(r"\d:\d\d")
_NUMBER = re.compile(r"\d+")


def page_digest(document: Document, asked: str) -> str:
    """The digest of a page's words and links, which was requested as the URL `asked`.

    Addresses of the page itself, queries, tokens, times and numbers are left out; but the numbers of a text
    that names the page are kept, such as `Ruby 12` at `/ruby-12`.
    """
    own = {path for url in (asked, document.url) if len(path := urlsplit(url).path) > 1}
    digest = hashlib.sha256()
    for text in _texts(document, _slug(_file_name(asked)), own):
        digest.update(text.encode("utf-8", "replace") + b"\n")
    return digest.hexdigest()[:16]


def _texts(document: Document, name: str, own: set[str]) -> Iterator[str]:
    for node in document.soup.descendants:
        if type(node) is NavigableString:
            words = [word for word in node.split() if not any(path in word for path in own)]
            names_page = name and f"-{name}-" in f"-{_slug(' '.join(words))}-"
            words = [word for word in words if not _is_volatile(word)]
            yield from words if names_page else filter(None, (_NUMBER.sub("", word) for word in words))
        elif isinstance(node, Tag):
            for key in ("href", "src"):
                link = _without_tokens(str(node.get(key) or ""))
                if link and not any(path in link for path in own):
                    yield link


def _file_name(url: str) -> str:
    return unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2].partition(".")[0]


def _slug(text: str) -> str:
    return re.sub(r"[\W_]+", "-", text.casefold()).strip("-")


def _is_volatile(word: str) -> bool:
    long = len(word) >= _VOLATILE_WORD
    return (long and any(map(str.isdigit, word))) or _TIME.search(word) is not None


def _without_tokens(link: str) -> str:
    parts = re.split(r"[?#]", link, maxsplit=1)[0].split("/")
    return "/".join(part for part in parts if not _is_token(part))


def _is_token(part: str) -> bool:
    return len(part) >= _VOLATILE_PART and part.strip("=,~").isalnum() and any(map(str.isdigit, part))
