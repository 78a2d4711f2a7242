"""The text of an HTML page in the encoding that a browser would read it in."""

from collections.abc import Iterator

from bs4.dammit import EncodingDetector
from w3lib.encoding import html_body_declared_encoding, read_bom, resolve_encoding, to_unicode

#: The encoding of a page that declares none is guessed from so many bytes.
_GUESSED_BYTES = 65_536

#: How the names of Python's codecs for text begin; others compress or escape it.
_TEXT = ("utf", "cp", "iso", "koi8", "gb", "hz", "big5", "euc", "shift_jis", "mac", "tis", "kz1048", "johab")

_TWO_BYTES = ("utf-16", "utf-32")


def decode_html(content: bytes, charset: str | None) -> str:
    """The text of a page; `charset` is the label in its Content-Type header, if any.

    A byte order mark is believed first, then the header, then the page's own declaration, then a guess, as in
    browsers (WHATWG HTML 13.2.3.2). A label that is unknown, or wrong while the next one is right, is passed
    over; what cannot be decoded is replaced.
    """
    encoding, mark = read_bom(content)
    if encoding is not None and mark is not None:
        return to_unicode(content[len(mark) :], encoding)
    declared = list(_declared(content, charset))
    for encoding in declared or ["utf-8"]:
        try:
            return content.decode(encoding)
        except UnicodeError:
            continue
    return to_unicode(content, declared[0]) if declared else _guessed(content)


def _declared(content: bytes, charset: str | None) -> Iterator[str]:
    for encoding in (resolve_encoding(charset) if charset else None, html_body_declared_encoding(content)):
        # In text of two or four bytes a character, the ASCII of the markup contains NUL bytes.
        wide = encoding is not None and encoding.startswith(_TWO_BYTES)
        if encoding is not None and encoding.startswith(_TEXT) and not (wide and b"\0" not in content):
            yield encoding


def _guessed(content: bytes) -> str:
    for encoding in EncodingDetector(content[:_GUESSED_BYTES], is_html=True).encodings:
        try:
            return content.decode(encoding)
        except (LookupError, UnicodeError):
            continue
    return to_unicode(content, "cp1252")
