"""The stored square of a crop, and the visible centre crop.

A crop is stored √2 wider than its visible part, so that every rotation has real pixels in its corners.
"""

import math

from gemkit.arrays import Array


def stored_side(size: int) -> int:
    """Side in pixels of a stored crop with `size` visible pixels: √2 times as many, of the same parity."""
    side = round(size * math.sqrt(2))
    return side + (side - size) % 2


def cut_centre(image: Array, size: int) -> Array:
    """The central `size` × `size` pixels of a square image of shape (side, side, 3)."""
    start = (image.shape[0] - size) // 2
    return image[start : start + size, start : start + size]
