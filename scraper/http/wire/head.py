"""The status line and the header lines of a response, as servers write them and browsers accept them.

A line that makes no sense is dropped; what can be read of an odd one counts.
"""

import re
import string
from dataclasses import dataclass

from scraper.http.failures import malformed
from scraper.http.wire.stream import Stream

#: The most bytes and lines before the body, those of interim responses included; browsers accept 256 KiB.
_MAX_BYTES, _MAX_LINES = 256 * 1024, 5_000

#: The protocol's version may be missing, and SHOUTcast has a name of its own for it.
_STATUS_LINE = re.compile(rb"(?:HTTP(?:/(\d+(?:\.\d+)?))?|ICY)[ \t]+([1-9]\d\d)(?!\d)", re.IGNORECASE)

_NAME_BYTES = b"!#$%&'*+.^_`|~-" + (string.ascii_letters + string.digits).encode()
_NO_NAME_BYTES = bytes(set(range(256)) - set(_NAME_BYTES))

#: Control characters are read as spaces.
_WITHOUT_CONTROLS = bytes(byte if byte >= 0x20 and byte != 0x7F else 0x20 for byte in range(256))

Lines = list[tuple[bytes, bytes]]


@dataclass
class Head:
    """The head of a response; `odd` if it is not written by the rules, `persistent` if by HTTP/1.1's.

    `lines` are names and values in the order in which they were sent.
    """

    status: int
    persistent: bool
    lines: Lines
    odd: bool

    def values(self, name: bytes) -> list[bytes]:
        """The elements of all lines of this name (in lower case), which may be lists (RFC 9110 5.6.1)."""
        joined = b",".join(value for key, value in self.lines if key.lower() == name)
        return [element for part in joined.split(b",") if (element := part.strip())]


class _Lines:
    """The lines of a stream, up to a limit of bytes and lines."""

    def __init__(self, stream: Stream):
        self._stream, self._bytes, self._lines = stream, _MAX_BYTES, _MAX_LINES

    def next(self) -> bytes:
        line = self._stream.line(self._bytes)
        self._bytes -= len(line)
        self._lines -= 1
        if self._lines < 0:
            raise malformed()
        return line


def read_head(stream: Stream) -> Head:
    """The head of the final response. Raises TransientError, and FetchError for what is no response."""
    lines = _Lines(stream)
    head = _read_one(lines)
    while 101 < head.status < 200 or head.status == 100:
        head = _read_one(lines)
    if head.status == 101:  # a switch to another protocol
        raise malformed()
    return head


def _read_one(lines: _Lines) -> Head:
    first = lines.next()
    odd = False
    while not (line := first.strip()):
        odd, first = True, lines.next()
    status = _STATUS_LINE.match(line)
    if not status:
        raise malformed()
    head = Head(int(status[2]), status[1] == b"1.1", [], odd)
    _read_lines(lines, head)
    return head


def _read_lines(lines: _Lines, head: Head) -> None:
    continued = False
    while (line := lines.next()).strip(b"\r\n"):
        folded = line[:1] in b" \t"
        if folded and continued:
            name, value = head.lines.pop()
            head.lines.append((name, b" ".join([value, line.translate(_WITHOUT_CONTROLS).strip()]).strip()))
            head.odd = True
        elif field := _field(line):
            head.lines.append(field)
            head.odd |= not line.startswith(field[0] + b":") or not line.endswith(b"\r\n")
            continued = True
        else:
            head.odd, continued = True, False


def _field(line: bytes) -> tuple[bytes, bytes] | None:
    name, colon, value = line.partition(b":")
    name = name.strip(_NO_NAME_BYTES)
    if not colon or not name or name.translate(None, _NAME_BYTES):
        return None
    return name, value.translate(_WITHOUT_CONTROLS).strip()
