"""Read a body under a size cap and a deadline, and decompress it, whichever library receives it."""

import time
from collections.abc import Iterable, Iterator
from functools import partial

from urllib3 import HTTPResponse

from scraper.http.errors import TooLarge, TransientError
from scraper.http.failures import timeout
from scraper.http.reason import Reason
from scraper.tables import ReasonKind

#: Bytes that are read, or decompressed, at a time.
CHUNK = 65536

_DECODABLE = frozenset(HTTPResponse.CONTENT_DECODERS)

#: Compressions that cannot be undone here; urllib3 undoes some of them if their libraries are installed.
_UNDECODABLE = {"br", "zstd", "compress", "x-compress", "dcb", "dcz"} - _DECODABLE


def read_body(chunks: Iterator[bytes], encoding: str, max_bytes: int, deadline: float) -> bytes:
    """The body that arrives in chunks; `encoding` is its Content-Encoding.

    `max_bytes` limits the decompressed body. Raises TooLarge, and TransientError after the `deadline`
    (`time.monotonic`) or if the body cannot be decompressed.
    """
    body = read_start(chunks, encoding, max_bytes + 1, deadline)
    if len(body) > max_bytes:
        raise TooLarge(max_bytes)
    return body


def read_start(chunks: Iterator[bytes], encoding: str, max_bytes: int, deadline: float) -> bytes:
    """The first `max_bytes` of a body, like `read_body`; no more than that is received."""
    parts, size = [], 0
    for chunk in _decompressed(chunks, encoding):
        parts.append(chunk)
        size += len(chunk)
        if size >= max_bytes:
            break
        if time.monotonic() > deadline:
            raise timeout()
    return b"".join(parts)[:max_bytes]


def _decompressed(chunks: Iterator[bytes], encoding: str) -> Iterable[bytes]:
    names = [name.strip() for name in encoding.lower().split(",")]
    if not _UNDECODABLE.isdisjoint(names):
        text = "compressed without being asked to be"
        raise TransientError(Reason(ReasonKind.CONTENT_ENCODING, text))
    known = [name for name in names if name in _DECODABLE]
    if not known:
        return chunks
    response = HTTPResponse(
        _ChunkFile(chunks),  # type: ignore[arg-type]  # an IO needs only these methods
        headers={"Content-Encoding": ", ".join(known)},
        preload_content=False,
    )
    return iter(partial(response.read1, CHUNK, decode_content=True), b"")


class _ChunkFile:
    """The part of a file that urllib3 reads; a read returns the next chunk."""

    def __init__(self, chunks: Iterator[bytes]):
        self._chunks = chunks

    def read1(self, size: int = -1) -> bytes:
        return next(self._chunks, b"")

    read = read1

    def close(self) -> None: ...
