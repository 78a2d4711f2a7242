"""Image bytes from strangers become upright sRGB pixels, or one clear reason why not."""

import io
import warnings
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

#: Above this an image is refused before any pixel is decoded (the largest phone photos have 50 million).
MAX_PIXELS = 64_000_000
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
#: How files of these formats are named, in small letters.
SUFFIXES = {".jpeg", ".tiff", *(f".{suffix}" for suffix in FORMATS.values())}
_WIDE_MODES = ("I", "I;16", "I;16B", "I;16L", "F")

#: What else stores serve under an image's name, by what is among its first bytes in small letters.
_OTHER_KINDS = {
    b"ftyphei": "HEIC",
    b"ftypmif1": "HEIF",
    b"<svg": "SVG",
    b"<?xml": "XML or SVG",
    b"<!doctype": "HTML",
    b"<html": "HTML",
    b"%pdf": "PDF",
}

#: A colour profile that moves no colour by more than this (of 255) is sRGB in all but name.
_SAME_COLOUR = 2

#: EXIF orientation → what makes the image upright (EXIF 2.32, tag 0x0112).
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageError(Exception):
    """The bytes are no complete image within the limits; the message says why."""


class Decoded(NamedTuple):
    """`pixels`: height × width × 3, uint8, sRGB, upright; `format` and `mode` as Pillow names them.

    One of the pixels stands for `factor` × `factor` of the source.
    """

    pixels: np.ndarray
    format: str
    mode: str
    factor: int


def decode(content: bytes, at_least: int | None = None) -> Decoded:
    """Decode the first picture: on white where transparent, turned as EXIF says, in sRGB.

    With `at_least` a JPEG comes reduced by 2, 4 or 8, which saves most of its decoding, as long as its longer
    side keeps so many pixels. A colour profile or EXIF block that is broken is passed over. Raises ImageError
    for anything that is not a complete image of at most MAX_PIXELS, MemoryError where memory is short.
    """
    if not content:
        raise ImageError("the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=tuple(FORMATS)) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise ImageError(f"{image.width}×{image.height} pixels are more than {MAX_PIXELS:,}")
                # Phones append pictures to a JPEG, which makes it MPO.
                file_format, mode = (image.format or "").replace("MPO", "JPEG"), image.mode
                factor = _reduce(image, at_least) if at_least else 1
                image.load()
                return Decoded(np.asarray(_srgb(_upright(image))), file_format, mode, factor)
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError:  # its message holds an address in memory
        raise ImageError(_unknown(content)) from None
    except Exception as error:  # Pillow's plugins raise whatever a stranger's bytes provoke
        raise ImageError(" ".join(str(error).split()) or type(error).__name__) from error


def _reduce(image: Image.Image, at_least: int) -> int:
    """Have a JPEG decoded at a fraction of its size; says at which, 1 for other formats."""
    width, height = image.size
    factor = max(width, height) // at_least
    if factor > 1:
        image.draft(None, (max(1, width // factor), max(1, height // factor)))
    return round(max(width, height) / max(image.size))


def _unknown(content: bytes) -> str:
    start = content[:64].lstrip(b"\xef\xbb\xbf \r\n\t")[:16].lower()
    found = next((f" but {kind}" for mark, kind in _OTHER_KINDS.items() if mark in start), "")
    *formats, last = FORMATS
    return f"not a {', '.join(formats)} or {last} file{found}"


def _upright(image: Image.Image) -> Image.Image:
    # Not ImageOps.exif_transpose: that also writes the EXIF block anew, which broken blocks don't survive.
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
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
    """The image as one of the modes that colour profiles are for: L, RGB, CMYK."""
    if image.mode in _WIDE_MODES:
        return _narrow(image)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), layer).convert("RGB")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _narrow(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits by its high byte, of floats by their range; Pillow would clip instead."""
    values = np.asarray(image)
    if image.mode == "F":
        values = np.nan_to_num(values)
        largest = values.max()
        values = values * np.float32(255 if largest <= 1 else 1 if largest <= 255 else 1 / 256)
    else:
        values = values >> 8
    return Image.fromarray(values.clip(0, 255).astype(np.uint8), "L")


@lru_cache(maxsize=16)  # a store's photos share a few profiles
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile's colours to sRGB; None where that changes nothing, or the profile is of no use."""
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
    """Nine levels of red, green and blue in all combinations."""
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1)
    return Image.fromarray(grid.reshape(27, 27, 3))


JPEG_QUALITY = 95


def encode_jpeg(image: np.ndarray) -> bytes:
    """An RGB image of shape (height, width, 3), uint8, as JPEG with full colour resolution (4:4:4)."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def encode_png(image: np.ndarray) -> bytes:
    """An RGB or RGBA image of shape (height, width, 3 or 4), uint8, as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def decode_rgb(content: bytes) -> np.ndarray:
    """The RGB pixels, shape (height, width, 3), uint8, of an encoded image that this project wrote."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))
