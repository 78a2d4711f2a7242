"""Whether an image file goes on to the end that its structure gives; what follows that does not matter."""

from collections.abc import Callable, Iterator
from itertools import islice

from gemkit.image_formats import behind_blocks, palette_bytes
from scraper.storage.jpeg_scans import is_cut
from scraper.storage.tiff_pages import page_ends

_GIF_IMAGE, _GIF_EXTENSION, _GIF_TRAILER, _GIF_PADDING = b",", b"!", b";", b"\0"
#: So much padding is skipped at a time, bytes.
_AHEAD = 4096

#: The other boxes of an AVIF (ISO/IEC 14496-12); in place of a size, that they have a longer one.
_BOXES = {b"meta", b"mdat", b"moov", b"moof", b"free", b"skip", b"wide", b"uuid", b"idat"}
_LONG_SIZE = 1


_Check = tuple[int, bytes, Callable[[bytes], bool]]


def lacks_end(content: bytes) -> bool:
    """Whether an image file that does not decode ends, or its structure breaks, before its end."""
    return any(
        content.startswith(mark, at) and check(content) for at, mark, check in (*_ALWAYS, *_ON_FAILURE)
    )


def breaks_off(content: bytes) -> bool:
    """The same of a file whose first image decodes: later ones may be missing, or the mark of its end."""
    return _any_breaks(_ALWAYS, content)


def _any_breaks(checks: list[_Check], content: bytes) -> bool:
    return any(content.startswith(mark, at) and check(content) for at, mark, check in checks)


def _png(content: bytes) -> bool:
    at = 8
    while at + 12 <= len(content):
        kind = content[at + 4 : at + 8]
        if kind == b"IEND":
            return False
        if not kind.isalpha():
            return True
        at += 12 + int.from_bytes(content[at : at + 4])
    return True


def _png_frames(content: bytes) -> bool:
    """Whether an animation breaks off; other pictures that decode have all their pixels."""
    return b"acTL" in content[: content.find(b"IDAT")] and _png(content)


def _gif(content: bytes) -> bool:
    return all(mark != _GIF_TRAILER for mark, _ in _gif_blocks(content))


def _gif_frames(content: bytes) -> bool:
    """Whether a frame breaks off; only the trailer may be missing, and the last byte of a single frame."""
    blocks = list(_gif_blocks(content))
    mark, end = blocks[-1] if blocks else (b"", 0)
    single = [mark for mark, _ in blocks].count(_GIF_IMAGE) == 1
    whole = end == len(content) or (single and end == len(content) + 1)
    return mark != _GIF_TRAILER and not (mark == _GIF_IMAGE and whole)


def _gif_blocks(content: bytes) -> Iterator[tuple[bytes, int]]:
    """The mark of each block and where it ends, up to the trailer or to what is none."""
    at = 13 + palette_bytes(content[10:11])
    while block := content[at : at + 1]:
        if block == _GIF_EXTENSION:
            at = behind_blocks(content, at + 2)
        elif block == _GIF_IMAGE:
            at = behind_blocks(content, at + 11 + palette_bytes(content[at + 9 : at + 10]))
        elif block == _GIF_PADDING:
            ahead = content[at : at + _AHEAD]
            at += len(ahead) - len(ahead.lstrip(_GIF_PADDING))
            continue
        elif block != _GIF_TRAILER:
            return
        yield block, at
        if block == _GIF_TRAILER:
            return


def _webp(content: bytes) -> bool:
    # Writers disagree on whether a last byte of padding counts.
    return 8 + int.from_bytes(content[4:8], "little") > len(content) + 1


def _avif(content: bytes) -> bool:
    at = int.from_bytes(content[:4])  # behind the box that every file starts with
    while content[at + 4 : at + 8] in _BOXES:
        size = int.from_bytes(content[at : at + 4])
        if size == _LONG_SIZE:
            size = int.from_bytes(content[at + 8 : at + 16])
        if size < 8:  # up to the end of the file
            return False
        at += size
    return at > len(content)


def _bmp(content: bytes) -> bool:
    return int.from_bytes(content[2:6], "little") > len(content)


def _tiff(content: bytes) -> bool:
    return any(end > len(content) for end in page_ends(content))


def _later_pages(content: bytes) -> bool:
    return any(end > len(content) for end in islice(page_ends(content), 1, None))


#: Where a file has which mark of its format, and what tells that it breaks off.
_ALWAYS: list[_Check] = [
    (0, b"\x89PNG\r\n\x1a\n", _png_frames),
    (0, b"GIF8", _gif_frames),
    (0, b"RIFF", _webp),
    (4, b"ftyp", _avif),
    (0, b"II*\0", _later_pages),
    (0, b"MM\0*", _later_pages),
]
#: These are wrong in some files that decode, or ask for an end that such files may lack.
_ON_FAILURE: list[_Check] = [
    (0, b"\x89PNG\r\n\x1a\n", _png),
    (0, b"GIF8", _gif),
    (0, b"\xff\xd8", is_cut),
    (0, b"BM", _bmp),
    (0, b"II*\0", _tiff),
    (0, b"MM\0*", _tiff),
]
