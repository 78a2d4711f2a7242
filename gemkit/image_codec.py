"""Decode untrusted image bytes to upright sRGB pixels, or give one clear reason why that is impossible."""

import io
import warnings
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from gemkit.arrays import Array, Bytes
from gemkit.errors import GemscrapeError
from gemkit.image_formats import FORMATS, MAX_PIXELS, open_image

_WIDE_MODES = ("I", "I;16", "I;16B", "I;16L", "F")

#: Other file types that stores serve as images, keyed by a lower-cased marker among their first bytes.
_OTHER_TYPES = {
    b"ftyphei": "HEIC",
    b"ftypmif1": "HEIF",
    b"<svg": "SVG",
    b"<?xml": "XML or SVG",
    b"<!doctype": "HTML",
    b"<html": "HTML",
    b"%pdf": "PDF",
}

#: A colour profile that shifts no colour by more than this (of 255) counts as sRGB.
_SAME_COLOUR = 2

#: EXIF orientation → the transpose that makes the image upright (EXIF 2.32, tag 0x0112).
_UPRIGHT_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageError(GemscrapeError):
    """The bytes are not a complete image within the limits; the message says why."""

    kind = "image"


class EmptyFile(ImageError):
    """There are no bytes."""

    kind = "empty_file"

    def __str__(self) -> str:
        return "the file is empty"


class TooManyPixels(ImageError):
    """The image has more than MAX_PIXELS."""

    kind = "too_many_pixels"

    def __init__(self, width: int, height: int):
        super().__init__(width, height)
        self.width, self.height = width, height

    def __str__(self) -> str:
        return f"{self.width}×{self.height} pixels are more than {MAX_PIXELS:,}"


class UnknownFormat(ImageError):
    """The bytes have none of FORMATS; `found` names the file type that they have, if it is known."""

    kind = "unknown_format"

    def __init__(self, found: str | None):
        super().__init__(found)
        self.found = found

    def __str__(self) -> str:
        *formats, last = FORMATS
        return f"not a {', '.join(formats)} or {last} file" + (f" but {self.found}" if self.found else "")


class UndecodableImage(ImageError):
    """Pillow cannot decode the image, or refuses to; the message is Pillow's."""

    kind = "undecodable"


class Decoded(NamedTuple):
    """`pixels`: height × width × 3, uint8, sRGB, upright; `format` and `mode` as Pillow names them.

    Each pixel covers `factor` × `factor` pixels of the source.
    """

    pixels: Bytes
    format: str
    mode: str
    factor: int


def decode(content: bytes, at_least: int | None = None) -> Decoded:
    """Decode the first frame to sRGB, composited on white and rotated according to its EXIF orientation.

    With `at_least`, a JPEG is decoded at 1/2, 1/4 or 1/8 of its size, as long as its longer side keeps at
    least that many pixels; this saves most of the decoding. Broken colour profiles and EXIF blocks are
    ignored. Raises ImageError for anything that is not a complete image of at most MAX_PIXELS, MemoryError
    when memory runs out.
    """
    if not content:
        raise EmptyFile
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with open_image(content) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise TooManyPixels(image.width, image.height)
                # Phones append images to a JPEG, which makes it an MPO file.
                file_format, mode = (image.format or "").replace("MPO", "JPEG"), image.mode
                factor = _reduce(image, at_least) if at_least else 1
                image.load()
                return Decoded(np.asarray(_srgb(_upright(image))), file_format, mode, factor)
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError:  # its message contains a memory address
        raise UnknownFormat(_other_type(content)) from None
    except Exception as error:  # Pillow's plugins raise all kinds of errors on untrusted bytes
        raise UndecodableImage(" ".join(str(error).split()) or type(error).__name__) from error


def _reduce(image: Image.Image, at_least: int) -> int:
    """Let Pillow decode a JPEG at a fraction of its size. Returns the divisor, 1 for other formats."""
    width, height = image.size
    factor = max(width, height) // at_least
    if factor > 1:
        image.draft(None, (max(1, width // factor), max(1, height // factor)))
    return round(max(width, height) / max(image.size))


def _other_type(content: bytes) -> str | None:
    """The file type of bytes that are not an image of FORMATS, if it is a known one."""
    start = content[:64].lstrip(b"\xef\xbb\xbf \r\n\t")[:16].lower()
    return next((name for mark, name in _OTHER_TYPES.items() if mark in start), None)


def _upright(image: Image.Image) -> Image.Image:
    # Not ImageOps.exif_transpose: it also rewrites the EXIF block, which fails when the block is broken.
    try:
        turn = _UPRIGHT_TRANSPOSE.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return image
    return image if turn is None else image.transpose(turn)


def _srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    image = _plain(image)
    transform = _to_srgb(profile, image.mode) if profile else None
    if transform is not None:
        return ImageCms.applyTransform(image, transform) or image
    return image.convert("RGB")


def _plain(image: Image.Image) -> Image.Image:
    """Convert the image to a mode that colour profiles exist for: L, RGB or CMYK."""
    if image.mode in _WIDE_MODES:
        return _narrow(image)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), layer).convert("RGB")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _narrow(image: Image.Image) -> Image.Image:
    """Convert wide grey to 8 bits: integers by their high byte, floats by their range. Pillow would clip."""
    values: Array = np.asarray(image)
    if image.mode == "F":
        values = np.nan_to_num(values)
        largest = values.max()
        values = values * np.float32(255 if largest <= 1 else 1 if largest <= 255 else 1 / 256)
    else:
        values = values >> 8
    return Image.fromarray(values.clip(0, 255).astype(np.uint8), "L")


@lru_cache(maxsize=16)  # the images of a store share a few profiles
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform from a profile to sRGB; None if it changes nothing or the profile is unusable."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        colours = _colours().convert(mode)
        moved = ImageCms.applyTransform(colours, transform)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None
    shift = np.asarray(moved, np.int16) - np.asarray(colours.convert("RGB"), np.int16)
    return transform if np.abs(shift).max() > _SAME_COLOUR else None


def _colours() -> Image.Image:
    """Test image with all combinations of nine levels of red, green and blue."""
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1)
    return Image.fromarray(grid.reshape(27, 27, 3))


JPEG_QUALITY = 95


def encode_jpeg(image: Bytes) -> bytes:
    """Encode an RGB image of shape (height, width, 3), uint8, as JPEG without chroma subsampling (4:4:4)."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def encode_png(image: Bytes) -> bytes:
    """Encode an RGB or RGBA image of shape (height, width, 3 or 4), uint8, as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def decode_rgb(content: bytes) -> Bytes:
    """Decode an image that this project wrote to RGB pixels of shape (height, width, 3), uint8."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))
