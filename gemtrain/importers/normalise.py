"""Normalise untrusted images for a dataset: plain encoding, upright, identified by their pixels."""

import hashlib
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from gemkit.arrays import Bytes
from gemkit.image_codec import ImageError, decode
from gemkit.image_formats import without_bombs
from gemtrain.importers.tiff import four_bands

#: Widely supported formats (MPO is a JPEG with further images appended); others become PNG.
_COMMON = ("JPEG", "MPO", "PNG", "WEBP")

#: zlib's level, 0 to 9: higher ones take far longer and hardly shrink photographic images.
_PNG_LEVEL = 3


class NormalisedImage(NamedTuple):
    """`content`: an encoded image, grey, RGB, or RGBA for four bands; `sha256`: that of its source.

    `pixel_hash` is that of the source's pixels, whatever its format, colour profile and EXIF orientation.
    """

    content: bytes
    sha256: str
    pixel_hash: bytes


class Undecodable(NamedTuple):
    """Why a file is not an image: the `kind` of its ImageError, or `unreadable`; and a text for people."""

    kind: str
    text: str

    @classmethod
    def of(cls, error: ImageError | OSError) -> "Undecodable":
        """The record of an error while a file was read or decoded."""
        if isinstance(error, ImageError):
            return cls(error.kind, str(error))
        return cls("unreadable", error.strerror or str(error))


def normalise(content: Path | bytes | Bytes) -> NormalisedImage | Undecodable:
    """The normalised image, or why there is none. An array is [H, W, 1, 3 or 4] of uint8.

    Colours become sRGB, transparency is drawn on white, the EXIF orientation is applied, and 16 bits are
    reduced to the higher 8 (`gemkit.image_codec`); the fourth band of a TIFF does not change. An image that
    needs no change keeps its bytes, anything else becomes PNG.
    """
    if isinstance(content, np.ndarray):
        return NormalisedImage(_png(content), hashlib.sha256(_identity(content)).hexdigest(), _hash(content))
    try:
        if isinstance(content, Path):
            content = content.read_bytes()
        banded = four_bands(content)
        pixels = _bands(banded) if banded else None
        if pixels is not None:
            encoded, compared = _png(pixels), pixels
        else:
            pixels = decode(content).pixels
            compared, is_plain = _before_profile(content, pixels)
            encoded = without_bombs(content) if is_plain else _png(pixels)
    except (ImageError, OSError) as error:
        return Undecodable.of(error)
    return NormalisedImage(encoded, hashlib.sha256(content).hexdigest(), _hash(compared))


def _bands(content: bytes) -> Bytes | None:
    """The four bands of a TIFF, [H, W, 4]."""
    decode(content)  # refuses an image that is too large or incomplete
    with Image.open(io.BytesIO(content), formats=["TIFF"]) as image:
        return np.asarray(image) if image.mode == "RGBA" else None


def _before_profile(content: bytes, pixels: Bytes) -> tuple[Bytes, bool]:
    """The pixels before any colour profile and EXIF rotation, and whether a reader that ignores both sees
    `pixels` too.

    The former are `pixels` themselves if more than a profile and a rotation was applied.
    """
    with Image.open(io.BytesIO(without_bombs(content))) as image:
        if image.mode not in ("L", "RGB") or image.has_transparency_data:
            return pixels, False
        plain = np.asarray(image.convert("RGB"))
        return plain, image.format in _COMMON and np.array_equal(plain, pixels)


def _png(pixels: Bytes) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(pixels if pixels.shape[2] > 1 else pixels[..., 0])
    image.save(buffer, "PNG", compress_level=_PNG_LEVEL)
    return buffer.getvalue()


def _hash(pixels: Bytes) -> bytes:
    return hashlib.blake2b(_identity(pixels), digest_size=16).digest()


def _identity(pixels: Bytes) -> bytes:
    """Shape and values."""
    return f"{pixels.shape} ".encode() + pixels.tobytes()
