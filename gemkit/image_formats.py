"""The image formats that are read, how their files are named, and how strangers' files are opened.

A decoder would inflate metadata, or gather it in quadratic time, before it looks at any pixel.
"""

import ctypes
import io
import zlib

from PIL import Image, _imaging

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
#: File name suffixes of these formats, lower-cased.
SUFFIXES = {".jpeg", ".tiff", *(f".{suffix}" for suffix in FORMATS.values())}

_PNG, _GIF = b"\x89PNG\r\n\x1a\n", (b"GIF87a", b"GIF89a")

#: Bytes of one PNG chunk, and of all of a file, once inflated; Pillow refuses files with larger texts.
_MAX_CHUNK, _MAX_CHUNKS = 1_000_000, 4_000_000

_COMMENT = 0xFE


def open_image(content: bytes) -> Image.Image:
    """An image of FORMATS, its pixels not yet decoded. Raises what Pillow raises."""
    return Image.open(io.BytesIO(without_bombs(content)), formats=tuple(FORMATS))


def _silence_libtiff() -> None:
    """Keep libtiff from writing to the process's stderr; Pillow raises errors of its own."""
    library = ctypes.CDLL(_imaging.__file__)  # finds what Pillow is linked with
    set_handler = getattr(library, "TIFFSetErrorHandler", None)
    if set_handler is not None:
        set_handler.restype, set_handler.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
        set_handler(None)


def without_bombs(content: bytes) -> bytes:
    """The image without texts and profiles that inflate to megabytes, and a GIF's comments.

    Other images, and bytes that are no image, stay as they are.
    """
    if content.startswith(_PNG):
        return _cut(content, _png_bombs(content))
    return _cut(content, _gif_comments(content)) if content.startswith(_GIF) else content


def _cut(content: bytes, parts: list[tuple[int, int]]) -> bytes:
    """The content without these parts, each from its first byte to behind its last one."""
    if not parts:
        return content
    starts, ends = [0, *(end for _, end in parts)], [*(start for start, _ in parts), len(content)]
    return b"".join(content[start:end] for start, end in zip(starts, ends, strict=True))


def _png_bombs(content: bytes) -> list[tuple[int, int]]:
    bombs, at, left = [], len(_PNG), _MAX_CHUNKS
    while at + 12 <= len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4])
        kind = content[at + 4 : at + 8]
        if kind in (b"zTXt", b"iTXt", b"iCCP"):
            limit = min(left, _MAX_CHUNK)
            size = _inflated_size(kind, content[at + 8 : end - 4], limit)
            if size > limit:
                bombs.append((at, end))
            left -= min(size, limit)
        at = end
    return bombs


def _inflated_size(kind: bytes, chunk: bytes, limit: int) -> int:
    """Bytes that a chunk holds once inflated; of a larger one, some number above the limit."""
    _, _, rest = chunk.partition(b"\0")  # the keyword
    if kind == b"iTXt":
        compressed, rest = rest[:1] != b"\0", rest[2:].partition(b"\0")[2].partition(b"\0")[2]
        if not compressed:
            return len(rest)
    else:
        rest = rest[1:]
    try:
        return len(zlib.decompressobj().decompress(rest, limit + 1))
    except zlib.error:  # decoders skip it
        return 0


def _gif_comments(content: bytes) -> list[tuple[int, int]]:
    """The comments in front of the first image."""
    comments, at = [], 13 + _palette_bytes(content[10:11])
    while content[at : at + 1] == b"!":
        end = _behind_blocks(content, at + 2)
        if content[at + 1 : at + 2] == bytes([_COMMENT]):
            comments.append((at, end))
        at = end
    return comments


def _palette_bytes(flags: bytes) -> int:
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def _behind_blocks(content: bytes, at: int) -> int:
    while at < len(content) and content[at]:
        at += content[at] + 1
    return at + 1


_silence_libtiff()
