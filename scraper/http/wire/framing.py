"""Where the body of a response ends (RFC 9112 6.3), read as browsers read it."""

import re
from abc import ABC, abstractmethod

from scraper.http.failures import cut, malformed
from scraper.http.wire.head import Head
from scraper.http.wire.stream import Stream

#: The longest line with the size of a chunk, in bytes.
_MAX_SIZE_LINE = 8_192

_CHUNK_SIZE = re.compile(rb"[ \t]*0*([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?[\r\n]*", re.DOTALL)

#: Codings that change nothing; each of them is sent.
_NO_CODINGS = {b"identity", b"none", b"binary", b"7bit", b"8bit"}

_LENGTH, _CODING = b"content-length", b"transfer-encoding"


class Body(ABC):
    """The body of a response on a stream; `complete` once it has ended as it should.

    `rest` is how many bytes are still to come, None if that is unknown.
    """

    complete = False
    rest: int | None = None

    def __init__(self, stream: Stream):
        self._stream = stream

    @abstractmethod
    def read(self, most: int) -> bytes:
        """The next bytes, up to `most`; none at its end. Raises TransientError and FetchError."""


class _LengthBody(Body):
    """A body whose length is known."""

    def __init__(self, stream: Stream, length: int):
        super().__init__(stream)
        self.rest: int = length
        self.complete = length == 0

    def read(self, most: int) -> bytes:
        if not self.rest:
            return b""
        content = self._stream.read(min(most, self.rest))
        if not content:
            raise cut()
        self.rest -= len(content)
        self.complete = self.rest == 0
        return content


class _ChunkedBody(Body):
    """A body in chunks. What follows the last one is not waited for: no rule of HTTP needs it."""

    _left = 0
    _first = True
    _ended = False

    def read(self, most: int) -> bytes:
        if not self._left and not self._ended:
            self._next_chunk()
        if self._ended:
            return b""
        content = self._stream.read(min(most, self._left))
        if not content:
            raise cut()
        self._left -= len(content)
        return content

    def _next_chunk(self) -> None:
        if not self._first and self._stream.line(_MAX_SIZE_LINE).strip(b"\r\n"):
            raise malformed()  # the chunk does not end where its size says
        self._first = False
        size = _CHUNK_SIZE.fullmatch(self._stream.line(_MAX_SIZE_LINE))
        if not size:
            raise malformed()
        self._left = int(size[1], 16)
        if not self._left:
            self._ended, self.complete = True, self._stream.skip(b"\r\n")


class _OpenBody(Body):
    """A body that ends with its connection."""

    def read(self, most: int) -> bytes:
        return self._stream.read(most)


def body_of(head: Head, stream: Stream) -> Body:
    """The body of a response, whose lines about its length are made plain.

    Raises FetchError if it is ambiguous where the body ends.
    """
    lengths, codings = head.values(_LENGTH), head.values(_CODING)
    lines = [line for line in head.lines if line[0].lower() not in (_LENGTH, _CODING)]
    head.odd |= len(lengths) + len(codings) > 1
    head.lines = lines
    if head.status in (204, 304):
        head.odd |= head.status == 204 and bool(codings or set(lengths) - {b"0"})
        return _LengthBody(stream, 0)
    if _is_chunked(codings):
        head.lines.append((_CODING, b"chunked"))
        return _ChunkedBody(stream)
    length = _length(lengths, closing=not head.persistent or b"close" in _connection(head))
    if length is None:
        return _OpenBody(stream)
    head.lines.append((_LENGTH, b"%d" % length))
    return _LengthBody(stream, length)


def _connection(head: Head) -> list[bytes]:
    return [option.lower() for option in head.values(b"connection")]


def is_reusable(head: Head) -> bool:
    """Whether another request may be sent after this response on its connection."""
    return head.persistent and not head.odd and b"close" not in _connection(head)


def _is_chunked(codings: list[bytes]) -> bool:
    names = {coding.partition(b";")[0].strip().lower() for coding in codings} - _NO_CODINGS
    if names - {b"chunked"}:
        raise malformed()
    return bool(names)


def _length(lengths: list[bytes], closing: bool) -> int | None:
    """The length that the lines agree on; None if the body ends with the connection."""
    if not all(re.fullmatch(rb"[0-9]{1,20}", length) for length in lengths):
        if closing:
            return None
        raise malformed()
    found = {int(length) for length in lengths}
    if len(found) > 1:
        raise malformed()
    return next(iter(found), None)
