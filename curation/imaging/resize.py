"""Downscale images fast: halving is several times as fast as area averaging by any other factor."""

import cv2

from gemkit.arrays import Array


def halve(pixels: Array) -> Array:
    """The image at half its size, each pixel the mean of four; an odd last row or column is left out."""
    height, width = pixels.shape[:2]
    size = (max(1, width // 2), max(1, height // 2))
    even = pixels[: max(1, height // 2 * 2), : max(1, width // 2 * 2)]
    return cv2.resize(even, size, interpolation=cv2.INTER_AREA)


def halve_towards(pixels: Array, side: int) -> Array:
    """The image halved while its longer side is at least twice `side` pixels."""
    while max(pixels.shape[:2]) >= 2 * side:
        pixels = halve(pixels)
    return pixels


def fit(pixels: Array, side: int) -> Array:
    """The image resized to a longer side of `side` pixels: halved towards it, then interpolated."""
    pixels = halve_towards(pixels, side)
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)


def shrink_to(pixels: Array, side: int) -> Array:
    """The image shrunk by area averaging to a longer side of at most `side` pixels."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
