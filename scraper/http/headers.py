"""The headers of a response as text."""

import re
from collections.abc import Iterable

Lines = Iterable[tuple[bytes, bytes]]

#: These have one value; a second line is a mistake of the server's, and browsers disregard it.
_SINGLE = {"content-type", "etag", "last-modified", "location", "retry-after"}

_COOKIE = b"set-cookie"


def joined(lines: Lines) -> dict[str, str]:
    """The headers by lower-cased name; different values are joined by commas (RFC 9110 5.3), but not cookies.

    Values are UTF-8 or else Latin-1; of a `Location`, bytes that are not UTF-8 are percent-encoded.
    """
    headers: dict[str, list[str]] = {}
    for name, value in lines:
        key = name.decode("latin-1").lower()
        values, text = headers.setdefault(key, []), _location(value) if key == "location" else _decode(value)
        if text not in values and not (values and key in _SINGLE):
            values.append(text)
    headers.pop(_COOKIE.decode(), None)
    return {key: ", ".join(values) for key, values in headers.items()}


def cookies(lines: Lines) -> tuple[str, ...]:
    """The values of the `Set-Cookie` headers, which commas cannot join."""
    return tuple(_decode(value.strip()) for name, value in lines if name.lower() == _COOKIE)


def _decode(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _location(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:  # as browsers do: the server knows its own bytes
        return re.sub(rb"[\x80-\xff]", lambda byte: b"%%%02X" % ord(byte[0]), value).decode("ascii")
