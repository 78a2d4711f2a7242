"""The image formats that are read, how their files are named, and how strangers' files are opened.

A decoder would inflate metadata, or gather it in quadratic time, before it looks at any pixel. It would also
refuse pictures that every browser shows: their metadata is broken, or only the mark of their end is missing.
"""

import ctypes
import io
import zlib

from PIL import Image, ImageChops, _imaging

#: Image formats by Pillow's names, with the suffix of their files.
FORMATS = {
    "JPEG": "jpg",
    "PNG": "png",
    "WEBP": "webp",
    "GIF": "gif",
    "BMP": "bmp",
    "TIFF": "tif",
    "AVIF": "avif",
}
#: Larger images are rejected before any pixel is decoded (the largest phone photos have 50 million pixels).
MAX_PIXELS = 64_000_000
#: File name suffixes of these formats, lower-cased.
SUFFIXES = {".jpeg", ".jpe", ".jfif", ".tiff", *(f".{suffix}" for suffix in FORMATS.values())}

_PNG, _GIF, _RIFF, _JPEG = b"\x89PNG\r\n\x1a\n", (b"GIF87a", b"GIF89a"), b"RIFF", b"\xff\xd8\xff"

#: Chunks of a PNG of which only the first image counts, those that are compressed, and bytes of others.
_ANIMATION, _COMPRESSED = {b"acTL", b"fcTL", b"fdAT"}, {b"iCCP", b"zTXt", b"iTXt"}
_LEAST_BYTES = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9}
#: The same of tRNS, by colour type.
_LEAST_TRANSPARENCY = {0: 2, 2: 6}
#: Bytes of one PNG chunk, and of all of a file, once inflated; Pillow refuses files with larger texts.
_MAX_CHUNK, _MAX_CHUNKS = 1_000_000, 4_000_000

_COMMENT = 0xFE

_SCAN, _END = b"\xff\xda", b"\xff\xd9"
#: Most JPEGs end at their end marker, or a few bytes behind it.
_TAIL = 64
#: The unwritten end of a file, and more data than any block of a JPEG needs.
_UNWRITTEN, _MORE = bytes(8), b"\x55" * 256


def open_image(content: bytes) -> Image.Image:
    """An image of FORMATS, its pixels not yet decoded. Raises what Pillow raises."""
    return _open(without_bombs(content))


def _open(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content), formats=tuple(FORMATS))


def _silence_libtiff() -> None:
    """Keep libtiff from writing to the process's stderr; Pillow raises errors of its own."""
    library = ctypes.CDLL(_imaging.__file__)  # finds what Pillow is linked with
    set_handler = getattr(library, "TIFFSetErrorHandler", None)
    if set_handler is not None:
        set_handler.restype, set_handler.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
        set_handler(None)


def without_bombs(content: bytes) -> bytes:
    """The image without what keeps Pillow from it: bombs, broken metadata, a missing mark of its end.

    Other images, and bytes that are no image, stay as they are.
    """
    if content.startswith(_JPEG):
        return _with_end(content)
    if content.startswith(_PNG):
        return _cut(content, _useless_chunks(content))
    if content.startswith(_RIFF):
        return _with_size(content)
    return _cut(content, _gif_comments(content)) if content.startswith(_GIF) else content


def _with_size(content: bytes) -> bytes:
    """A WebP whose size is right, if it is wrong by one: writers disagree on whether padding counts."""
    size = int.from_bytes(content[4:8], "little")
    more = size - (len(content) - 8)
    if not (more == 1 or (more in (0, -1) and size % 2)):  # a right size is even
        return content
    padded = content + b"\0" * (len(content) % 2)
    return padded[:4] + (len(padded) - 8).to_bytes(4, "little") + padded[8:]


def _with_end(content: bytes) -> bytes:
    """A JPEG with an end marker, if that is all that it lacks."""
    if _END in content[-_TAIL:] or content.rfind(_END) > content.rfind(_SCAN):
        return content
    data = content.removesuffix(_END[:1])
    written = data.rstrip(b"\0").removesuffix(_END[:1])
    try:
        if _few_pixels(data):
            if _is_whole(written):
                return written + _END
            if _is_whole(data) and not same_pixels(data[: -len(_UNWRITTEN)] + _END, data + _END):
                return data + _END
    except Exception:  # that of the image itself says more
        return content
    return written


def _few_pixels(content: bytes) -> bool:
    with _open(content) as image:
        return image.width * image.height <= MAX_PIXELS


def _is_whole(jpeg: bytes) -> bool:
    """Whether a JPEG without an end marker has data for all blocks: decoders ignore data behind the last."""
    return same_pixels(jpeg + _END, jpeg + _MORE + _END)


def same_pixels(one: bytes, other: bytes, mode: str | None = None) -> bool:
    """Whether two JPEGs look the same; with mode "L", which is faster, but for their colour.

    Raises what Pillow raises.
    """
    with _open(one) as first, _open(other) as second:
        for image in (first, second):
            image.draft(mode, image.size)
            image.load()
        return ImageChops.difference(first, second).getbbox() is None


def _cut(content: bytes, parts: list[tuple[int, int]]) -> bytes:
    """The content without these parts, each from its first byte to behind its last one."""
    if not parts:
        return content
    starts, ends = [0, *(end for _, end in parts)], [*(start for start, _ in parts), len(content)]
    return b"".join(content[start:end] for start, end in zip(starts, ends, strict=True))


def _useless_chunks(content: bytes) -> list[tuple[int, int]]:
    """Chunks of a PNG that its first image does not need, and that are broken or bombs."""
    useless, at, left = [], len(_PNG), _MAX_CHUNKS
    while at + 12 <= len(content) and (kind := content[at + 4 : at + 8]) != b"IEND":
        end = at + 12 + int.from_bytes(content[at : at + 4])
        if kind[0] & 0x20:  # not critical
            size = _chunk_size(content[at:end], content[25])
            if size is None or size > min(left, _MAX_CHUNK):
                useless.append((at, end))
            else:
                left -= size
        at = end
    return useless


def _chunk_size(chunk: bytes, colour_type: int) -> int | None:
    """Bytes that a chunk holds once inflated, 0 if it is not compressed; None if no picture is lost with it.

    Of a bomb, some number above the limit.
    """
    kind, data = chunk[4:8], chunk[8:-4]
    least = _LEAST_TRANSPARENCY.get(colour_type, 0) if kind == b"tRNS" else _LEAST_BYTES.get(kind, 0)
    broken = len(data) < least or zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:])
    if broken or kind in _ANIMATION:
        return None
    return _inflated_size(kind, data) if kind in _COMPRESSED else 0


def _inflated_size(kind: bytes, chunk: bytes) -> int | None:
    """Bytes that a compressed chunk holds; None if it is broken, of a bomb some number above the limit."""
    _, _, rest = chunk.partition(b"\0")  # the keyword
    if kind == b"iTXt":
        compressed, rest = rest[:1] != b"\0", rest[2:].partition(b"\0")[2].partition(b"\0")[2]
        if not compressed:
            return len(rest)
    elif rest[:1] != b"\0":  # an unknown method
        return None
    else:
        rest = rest[1:]
    try:
        return len(zlib.decompressobj().decompress(rest, _MAX_CHUNK + 1))
    except zlib.error:
        return None


def _gif_comments(content: bytes) -> list[tuple[int, int]]:
    """The comments in front of the first image."""
    comments, at = [], 13 + palette_bytes(content[10:11])
    while content[at : at + 1] == b"!":
        end = behind_blocks(content, at + 2)
        if content[at + 1 : at + 2] == bytes([_COMMENT]):
            comments.append((at, end))
        at = end
    return comments


def palette_bytes(flags: bytes) -> int:
    """Bytes of the palette behind a GIF's header of a file or an image, by its flags."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def behind_blocks(content: bytes, at: int) -> int:
    """Where a GIF goes on behind the data blocks that start at a position."""
    while at < len(content) and content[at]:
        at += content[at] + 1
    return at + 1


_silence_libtiff()
