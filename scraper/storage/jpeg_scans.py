"""What a JPEG's markers say about data that is missing from it (ITU-T T.81, annex B)."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

_RESTARTS = range(0xD0, 0xD8)
_ALONE = {0x01, *_RESTARTS, 0xD8}
_FRAMES = {0xC0, 0xC1, 0xC2}
#: What may follow 0xFF without being a marker: a stuffed byte, a fill byte.
_NO_MARKER = (0x00, 0xFF)
_PROGRESSIVE, _SCAN, _END, _INTERVAL = 0xC2, 0xDA, 0xD9, 0xDD

#: More data than any block needs, without a marker in it.
_MORE = b"\x55" * 256


@dataclass
class _Frame:
    progressive: bool
    width: int
    height: int
    sampling: dict[int, tuple[int, int]]

    def units(self, components: list[int]) -> int:
        """Minimum coded units of a scan of these components (A.2)."""
        across = max(h for h, _ in self.sampling.values())
        down = max(v for _, v in self.sampling.values())
        if len(components) > 1:
            return ceil(self.width / (8 * across)) * ceil(self.height / (8 * down))
        h, v = self.sampling[components[0]]
        return ceil(ceil(self.width * h / across) / 8) * ceil(ceil(self.height * v / down) / 8)


def has_gap(content: bytes) -> bool:
    """Whether a JPEG that decodes lacks restart markers, or the last bits of a progressive one.

    Without either there is nothing to see, and the data is not searched.
    """
    precisions: dict[tuple[int, bool], int] = {}
    for scan in _scans(content):
        if not scan.interval and not scan.frame.progressive:
            return False
        restarts = scan.skip()
        expected = ceil(scan.frame.units(scan.components) / scan.interval) - 1 if scan.interval else 0
        if len(restarts) < expected or restarts != [0xD0 + n % 8 for n in range(len(restarts))]:
            return True
        for component in scan.components if scan.frame.progressive else ():
            precisions[component, scan.first_band > 0] = scan.missing_bits
    return any(precisions.values())


def with_more_data(content: bytes) -> bytes:
    """The same JPEG to a decoder, unless it lacks data: there is more of it at the end of each scan."""
    parts, start = [], 0
    for scan in _scans(content):
        scan.skip()
        parts.append(content[start : scan.reader.at])
        start = scan.reader.at
    return _MORE.join([*parts, content[start:]])


class _Reader:
    """Reads markers in their order; `at` is where the next one is looked for."""

    def __init__(self, content: bytes):
        self.content, self.at = content, 2

    def segment(self) -> tuple[int, bytes]:
        """The next marker and the data of its segment; `_END` also where the content ends."""
        while (code := self._marker()) in _ALONE:
            pass
        size = int.from_bytes(self.content[self.at : self.at + 2])
        data = self.content[self.at + 2 : self.at + size]
        self.at += max(size, 2)
        return code, data

    def skip_scan(self) -> list[int]:
        """Go to the end of the entropy-coded data that starts here; returns its restart markers."""
        restarts: list[int] = []
        while (code := self._marker()) in _RESTARTS:
            restarts.append(code)
        self.at -= 2
        return restarts

    def _marker(self) -> int:
        # Faster than an expression: one byte of 256 is 0xFF, and it is stuffed in entropy-coded data.
        content, at = self.content, self.at
        while (at := content.find(0xFF, at) + 1) and at < len(content):
            if content[at] not in _NO_MARKER:
                self.at = at + 1
                return content[at]
        self.at = len(content) + 2
        return _END


@dataclass
class _Scan:
    reader: _Reader
    frame: _Frame
    interval: int
    components: list[int]
    first_band: int
    missing_bits: int

    def skip(self) -> list[int]:
        """The restart markers of the scan; the reader is at its end then."""
        return self.reader.skip_scan()


def _scans(content: bytes) -> Iterator[_Scan]:
    """The scans of the first image, each once the one before has been skipped."""
    reader, frame, interval = _Reader(content), None, 0
    while True:
        code, data = reader.segment()
        if code == _END:
            return
        if code in _FRAMES and len(data) >= 6 and len(data) >= 6 + 3 * data[5]:
            frame = _read_frame(code, data)
        elif code == _INTERVAL:
            interval = int.from_bytes(data[:2])
        elif code == _SCAN and frame is not None and data and len(data) >= 4 + 2 * data[0]:
            components = list(data[1 : 1 + 2 * data[0] : 2])
            if not frame.sampling.keys() >= set(components):
                return
            yield _Scan(reader, frame, interval, components, data[-3], data[-1] & 15)


def _read_frame(code: int, data: bytes) -> _Frame:
    height, width = int.from_bytes(data[1:3]), int.from_bytes(data[3:5])
    components = (data[at : at + 2] for at in range(6, 6 + 3 * data[5], 3))
    sampling = {number: (factors >> 4 or 1, factors & 15 or 1) for number, factors in components}
    return _Frame(code == _PROGRESSIVE, width, height, sampling)
