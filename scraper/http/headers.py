"""The headers of a response as text."""

import re
from collections.abc import Iterable

Lines = Iterable[tuple[bytes, bytes]]

#: These have one value; a second line is a mistake of the server's, and browsers disregard it.
_SINGLE = {"content-type", "etag", "last-modified", "location", "retry-after"}

#: These are stored for each image and sent back; longer ones are disregarded, bytes.
_VALIDATORS, _LONGEST_VALIDATOR = {"etag", "last-modified"}, 1_000

_COOKIE = b"set-cookie"


def joined(lines: Lines) -> dict[str, str]:
    """The headers by lower-cased name; repeated ones are joined by commas (RFC 9110 5.3), but not cookies.

    Values are UTF-8 or else Latin-1; of a `Location`, bytes that are not UTF-8 are percent-encoded.
    """
    headers: dict[str, list[str]] = {}
    for name, value in lines:
        key = name.decode("latin-1").lower()
        if key in _VALIDATORS and len(value) > _LONGEST_VALIDATOR:
            continue
        if key not in _SINGLE or key not in headers:
            text = _location(value) if key == "location" else _decode(value)
            headers.setdefault(key, []).append(text)
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
