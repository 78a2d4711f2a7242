"""Read a body under a size cap and decompress it, whichever library receives it."""

import zlib
from collections.abc import Iterable

from scraper.http.errors import TooLarge
from scraper.http.failures import compressed_unasked, damaged

#: The Content-Encodings that can be undone here, and those that cannot; all others name no compression.
_GZIP, _DEFLATE = {"gzip", "x-gzip"}, {"deflate"}
_OTHERS = {"br", "zstd", "compress", "x-compress", "dcb", "dcz"}

#: More layers than this are an attack.
_MAX_LAYERS = 5

#: Bytes that are decompressed at a time, and how many gzip files may follow one another in a body.
_CHUNK, _MAX_MEMBERS = 65_536, 1_000

_GZIP_MAGIC = b"\x1f\x8b"

#: The `wbits` of a zlib decompressor.
_GZIP_BITS, _ZLIB_BITS, _RAW_BITS = 31, 15, -15


def read_body(chunks: Iterable[bytes], encoding: str, max_bytes: int, truncate: bool = False) -> bytes:
    """The body that arrives in chunks, decompressed; `encoding` is its Content-Encoding.

    A body of more than `max_bytes` raises TooLarge, or is cut there (`truncate`). Raises FetchError if it
    cannot be decompressed. A body that is not compressed as it says is taken as it is.
    """
    layers = _layers(encoding)
    body = _received(chunks, max_bytes, truncate)
    for layer in reversed(layers):
        body = _undone(body, layer, max_bytes, truncate)
    return body


def _received(chunks: Iterable[bytes], max_bytes: int, truncate: bool) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > max_bytes:
            if truncate:
                return bytes(body[:max_bytes])
            raise TooLarge(max_bytes)
    return bytes(body)


def _layers(encoding: str) -> list[str]:
    names = [name.strip() for name in encoding.lower().split(",")]
    if not _OTHERS.isdisjoint(names):
        raise compressed_unasked()
    layers = [name for name in names if name in _GZIP | _DEFLATE]
    if len(layers) > _MAX_LAYERS:
        raise damaged()
    return layers


def _undone(body: bytes, layer: str, max_bytes: int, truncate: bool) -> bytes:
    if body.startswith(_GZIP_MAGIC):
        bits = _GZIP_BITS
    elif layer in _GZIP:
        return body
    else:
        bits = _ZLIB_BITS if _is_zlib(body) else _RAW_BITS
    try:
        return _decompressed(body, bits, max_bytes, truncate)
    except zlib.error:
        if bits == _RAW_BITS:  # nothing marks its start
            return body
        raise damaged() from None


def _is_zlib(body: bytes) -> bool:
    """Whether the body starts as RFC 1950 2.2 says."""
    return len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0


def _decompressed(body: bytes, bits: int, max_bytes: int, truncate: bool) -> bytes:
    """Raises zlib.error, also if the end is missing; what follows the end is disregarded.

    gzip files that follow one another are one body (RFC 1952 2.2).
    """
    content = bytearray()
    position = members = 0
    unpack = zlib.decompressobj(bits)
    while position < len(body):
        chunk = body[position : position + _CHUNK]
        content += unpack.decompress(chunk, max_bytes + 1 - len(content))
        if len(content) > max_bytes:
            if truncate:
                return bytes(content[:max_bytes])
            raise TooLarge(max_bytes)
        position += len(chunk) - len(unpack.unused_data)
        if unpack.eof:
            members += 1
            if bits != _GZIP_BITS or not body.startswith(_GZIP_MAGIC, position):
                break
            if members == _MAX_MEMBERS:
                raise zlib.error
            unpack = zlib.decompressobj(bits)
    if not unpack.eof and not truncate:
        raise zlib.error
    return bytes(content)
