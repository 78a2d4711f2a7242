"""Which headers of a response are accepted, whichever library received them."""

import re
from collections.abc import Iterable

from scraper.http.failures import malformed

#: Header lines and their bytes; http.client accepts no more lines than this.
_MAX_LINES, _MAX_BYTES = 99, 65_000

_COOKIE = b"set-cookie"

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_FORBIDDEN = re.compile(rb"[\x00\n\v\f\r]")


def accept_headers(lines: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers by lower-cased name; the values of repeated headers are joined by commas (RFC 9110 5.3).

    Cookies are left out: `cookies` returns them. Values are UTF-8 or else Latin-1. Raises FetchError for
    headers that are malformed, too many or too long, or that leave open where the body ends: a rule of the
    store's might be lost with them.
    """
    headers: dict[str, str] = {}
    count = size = 0
    for name, value in lines:
        count, size = count + 1, size + len(name) + len(value)
        value = _FOLD.sub(b" ", value).strip(b" \t")
        if count > _MAX_LINES or size > _MAX_BYTES or not _NAME.fullmatch(name) or _FORBIDDEN.search(value):
            raise malformed()
        key, text = name.decode("ascii").lower(), _decode(value)
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    _check_framing(headers)
    headers.pop(_COOKIE.decode(), None)
    return headers


def cookies(lines: Iterable[tuple[bytes, bytes]]) -> tuple[str, ...]:
    """The values of the `Set-Cookie` headers, which commas cannot join."""
    return tuple(_decode(value.strip()) for name, value in lines if name.lower() == _COOKIE)


def _decode(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _check_framing(headers: dict[str, str]) -> None:
    """See RFC 9112 6.3."""
    if (coding := headers.get("transfer-encoding")) is not None:
        if coding.lower() != "chunked":
            raise malformed()
        headers["transfer-encoding"] = "chunked"
    if (repeated := headers.get("content-length")) is not None:
        length, *others = {length.strip() for length in repeated.split(",")}
        if others or not re.fullmatch("[0-9]{1,20}", length):
            raise malformed()
        headers["content-length"] = length
