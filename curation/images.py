"""Image bytes from strangers become upright RGB pixels, or one clear reason why not."""

import io
import warnings
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image

#: Above this an image is refused before any pixel is decoded (the largest phone photos have 50 million).
MAX_PIXELS = 64_000_000
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_WIDE_MODES = ("I", "I;16", "I;16B", "I;16L", "F")

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
    """`pixels`: height × width × 3, uint8, RGB, upright; `format` and `mode` as Pillow names them."""

    pixels: np.ndarray
    format: str
    mode: str


def decode(content: bytes) -> Decoded:
    """Decode the first frame in full; transparency lies on white, EXIF rotation is applied.

    Raises ImageError for anything that is not a complete image of at most MAX_PIXELS.
    """
    if not content:
        raise ImageError("the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise ImageError(f"{image.width}×{image.height} pixels are more than {MAX_PIXELS:,}")
                file_format, mode = image.format or "", image.mode
                image.load()
                return Decoded(np.asarray(_rgb(_upright(image))), file_format, mode)
    except ImageError:
        raise
    except Exception as error:  # Pillow's plugins raise whatever a stranger's bytes provoke
        raise ImageError(" ".join(str(error).split()) or type(error).__name__) from error


def _upright(image: Image.Image) -> Image.Image:
    # Not ImageOps.exif_transpose: that also writes the EXIF block anew, which broken blocks don't survive.
    turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode in _WIDE_MODES:
        return _narrow(image).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


def _narrow(image: Image.Image) -> Image.Image:
    """16-bit grey to 8 bits by its high byte; Pillow's own conversion would clip instead."""
    values = np.asarray(image).astype(np.float64)
    if image.mode != "F" or values.max() > 255:
        values = values / 256
    return Image.fromarray(np.clip(np.nan_to_num(values), 0, 255).astype(np.uint8), "L")
