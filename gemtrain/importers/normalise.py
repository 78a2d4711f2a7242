"""A stranger's picture as a dataset keeps it: plain, upright, and the same pixels always known again."""

import hashlib
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from gemkit.image_codec import ImageError, decode
from gemtrain.importers.tiff import four_bands

#: Formats that anyone can show (MPO is a JPEG with others behind it); others become PNG.
_COMMON = ("JPEG", "MPO", "PNG", "WEBP")

#: Of zlib, 0 to 9: beyond it photos take far longer and hardly get smaller.
_PNG_LEVEL = 3


class Stored(NamedTuple):
    """`content`: an encoded image, grey, RGB, or as RGBA that of four bands; `sha256` that of its source.

    `pixel_hash` is that of the source's pixels, whatever its format, colour profile and turn.
    """

    content: bytes
    sha256: str
    pixel_hash: bytes


def store(content: Path | bytes | np.ndarray) -> Stored | str:
    """A picture as it is kept, or why it cannot be. An array is [H, W, 1, 3 or 4] of uint8.

    Colours become sRGB, what is transparent lies on white, EXIF's turns are made, and of 16 bits the higher
    8 are kept (`gemkit.image_codec`); the fourth band of a TIFF is kept as it is. A photo that this changes
    nothing of keeps its bytes, anything else becomes PNG.
    """
    if isinstance(content, np.ndarray):
        return Stored(_png(content), hashlib.sha256(_identity(content)).hexdigest(), _hash(content))
    try:
        if isinstance(content, Path):
            content = content.read_bytes()
        banded = four_bands(content)
        pixels = _bands(banded) if banded else None
        if pixels is not None:
            kept, compared = _png(pixels), pixels
        else:
            pixels = decode(content).pixels
            compared, is_plain = _as_stored(content, pixels)
            kept = content if is_plain else _png(pixels)
    except ImageError as error:
        return str(error)
    except OSError as error:
        return error.strerror or str(error)
    return Stored(kept, hashlib.sha256(content).hexdigest(), _hash(compared))


def _bands(content: bytes) -> np.ndarray | None:
    """The four bands of a TIFF, [H, W, 4]."""
    decode(content)  # refuses what is too large or incomplete
    with Image.open(io.BytesIO(content), formats=["TIFF"]) as image:
        return np.asarray(image) if image.mode == "RGBA" else None


def _as_stored(content: bytes, pixels: np.ndarray) -> tuple[np.ndarray, bool]:
    """The pixels before any colour profile and turn, and whether whoever ignores those sees `pixels` too.

    The first are `pixels` themselves where those come of more than a profile and a turn.
    """
    with Image.open(io.BytesIO(content)) as image:
        if image.mode not in ("L", "RGB") or image.has_transparency_data:
            return pixels, False
        plain = np.asarray(image.convert("RGB"))
        return plain, image.format in _COMMON and np.array_equal(plain, pixels)


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(pixels if pixels.shape[2] > 1 else pixels[..., 0])
    image.save(buffer, "PNG", compress_level=_PNG_LEVEL)
    return buffer.getvalue()


def _hash(pixels: np.ndarray) -> bytes:
    return hashlib.blake2b(_identity(pixels), digest_size=16).digest()


def _identity(pixels: np.ndarray) -> bytes:
    """Shape and values."""
    return f"{pixels.shape} ".encode() + pixels.tobytes()
