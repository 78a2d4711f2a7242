"""The square on which a crop is stored and the centre of it that everyone uses.

A crop is stored √2 wider than it is seen, so that every rotation has real pixels in its corners.
"""

import io
import math

import numpy as np
from PIL import Image

JPEG_QUALITY = 95


def stored_side(size: int) -> int:
    """Side in pixels of a stored crop whose visible centre has `size`: √2 as much, of the same parity."""
    side = round(size * math.sqrt(2))
    return side + (side - size) % 2


def cut_centre(image: np.ndarray, size: int) -> np.ndarray:
    """The central `size` × `size` pixels of a square image of shape (side, side, 3)."""
    start = (image.shape[0] - size) // 2
    return image[start : start + size, start : start + size]


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
