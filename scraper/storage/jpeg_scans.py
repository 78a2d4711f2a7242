"""What a JPEG's markers say about data that is missing from it (ITU-T T.81, annex B)."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import ceil

_RESTARTS = range(0xD0, 0xD8)
_ALONE = {0x01, *_RESTARTS, 0xD8}
#: Frames with Huffman coding, and with arithmetic coding, whose data may end early.
_HUFFMAN, _ARITHMETIC = {0xC0, 0xC1, 0xC2}, {0xC9, 0xCA}
_FRAMES, _PROGRESSIVE = _HUFFMAN | _ARITHMETIC, {0xC2, 0xCA}
#: What may follow 0xFF without being a marker: a stuffed byte, a fill byte.
_NO_MARKER = (0x00, 0xFF)
_SCAN, _END, _INTERVAL = 0xDA, 0xD9, 0xDD

#: Coefficients of a block, which a progressive JPEG sends in bands.
_BANDS = 64

#: More data than any block needs, without a marker in it.
_MORE = b"\x55" * 256


@dataclass
class _Frame:
    kind: int
    width: int
    height: int
    sampling: dict[int, tuple[int, int]]

    @property
    def progressive(self) -> bool:
        return self.kind in _PROGRESSIVE

    def units(self, components: list[int]) -> int:
        """Minimum coded units of a scan of these components (A.2)."""
        across = max(h for h, _ in self.sampling.values())
        down = max(v for _, v in self.sampling.values())
        if len(components) > 1:
            return ceil(self.width / (8 * across)) * ceil(self.height / (8 * down))
        h, v = self.sampling[components[0]]
        return ceil(ceil(self.width * h / across) / 8) * ceil(ceil(self.height * v / down) / 8)


def is_plain(content: bytes) -> bool:
    """Whether all data is in one piece: where it ends too early, the rest of the picture is grey."""
    reader, components = _Reader(content), b""
    code, data = reader.segment()
    while code not in (_SCAN, _END):
        if code in _PROGRESSIVE or (code == _INTERVAL and any(data)):
            return False
        if code in _FRAMES:
            components = data[5:6]
        code, data = reader.segment()
    return code == _SCAN and data[:1] == components != b""


def has_gap(content: bytes) -> bool:
    """Whether a JPEG that decodes lacks restart markers, or bits of a progressive one."""
    left: set[tuple[int, int]] = set()
    for number, scan in enumerate(_scans(content)):
        if scan.interval and len(scan.restarts()) < ceil(scan.units / scan.interval) - 1:
            return True
        if scan.frame.progressive:
            left |= set(product(scan.frame.sampling, range(_BANDS))) if number == 0 else set()
            sent = set(product(scan.components, scan.bands))
            left = left | sent if scan.missing_bits else left - sent
    return bool(left)


def with_more_data(content: bytes) -> bytes:
    """The same JPEG to a decoder, unless it lacks data: there is more of it wherever data may end."""
    parts, start = [], 0
    for scan in _scans(content):
        if scan.frame.kind in _ARITHMETIC:
            return content
        for end in [*scan.restarts(), scan.reader.at]:
            parts.append(content[start:end])
            start = end
    return _MORE.join([*parts, content[start:]])


def is_cut(content: bytes) -> bool:
    """Whether a JPEG ends before its end marker."""
    reader = _Reader(content)
    while (code := reader.segment()[0]) != _END:
        if code == _SCAN:
            reader.restarts()
    return reader.at > len(content)


class _Reader:
    """Reads markers in their order; `at` is where the next one is looked for."""

    def __init__(self, content: bytes):
        self.content, self.at = content, 2

    def segment(self) -> tuple[int, bytes]:
        """The next marker and the data of its segment; `_END` also where the content ends."""
        while (code := self._marker()) in _ALONE:
            pass
        if code == _END:
            return code, b""
        start = self.at
        self.at += max(int.from_bytes(self.content[start : start + 2]), 2)
        return code, self.content[start + 2 : self.at]

    def restarts(self) -> list[int]:
        """Where the restart markers are in the entropy-coded data that starts here; goes to its end."""
        found: list[int] = []
        while self._marker() in _RESTARTS:
            found.append(self._before_fill(self.at - 2))
        self.at = self._before_fill(min(self.at - 2, len(self.content)))
        return found

    def _before_fill(self, at: int) -> int:
        """Where the fill bytes start in front of a marker."""
        while self.content[at - 1] == 0xFF:
            at -= 1
        return at

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
    bands: range
    missing_bits: int

    @property
    def units(self) -> int:
        return self.frame.units(self.components)

    def restarts(self) -> list[int]:
        """Where the restart markers of the scan are; the reader is at its end then."""
        return self.reader.restarts()


def _scans(content: bytes) -> Iterator[_Scan]:
    """The scans of the first image; the next one is looked for where the reader is."""
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
            if not components or not frame.sampling.keys() >= set(components):
                return
            bands, bits = range(data[-3], min(data[-2], _BANDS - 1) + 1), data[-1] & 15
            yield _Scan(reader, frame, interval, components, bands, bits)


def _read_frame(code: int, data: bytes) -> _Frame:
    height, width = int.from_bytes(data[1:3]), int.from_bytes(data[3:5])
    components = (data[at : at + 2] for at in range(6, 6 + 3 * data[5], 3))
    sampling = {number: (factors >> 4 or 1, factors & 15 or 1) for number, factors in components}
    return _Frame(code, width, height, sampling)
