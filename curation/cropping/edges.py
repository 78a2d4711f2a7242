"""Canny edges, border masks and bounding boxes."""

import cv2
import numpy as np

from gemkit.arrays import Array

#: Upper and lower threshold of the gradient, as multiples of its median over the image's border, which shows
#: the background, and the minimum of the upper one (CIE Lab per pixel, with L* up to 100).
_HIGH, _LOW = 5.0, 2.0
_LEAST = 3.2
#: Width of the border, as a share of the shorter side.
_BORDER = 0.04
#: Standard deviations, in pixels, of the Gaussian against noise, and of the one that only a shadow's edge
#: survives.
_FINE, _COARSE = 0.5, 1.5
#: A gradient that falls by less than this factor from fine to coarse is a shadow's, whose edge is blurred by
#: more than 2 pixels (Elder & Zucker 1998, local scale).
_SHARP = 1.25
#: Scale of the gradients, which Canny takes as integers.
_UNITS = 64


def canny_edges(lab: Array) -> Array:
    """Sharp edges (Canny 1986) of an image, float32 CIE Lab of about 160 pixels: bool (height, width).

    Both thresholds adapt to the image's noise and texture. Each pixel uses the channel with the strongest
    gradient, so that a stone as light as its background has edges too.
    """
    dx, dy = _gradient(cv2.GaussianBlur(lab, (0, 0), _FINE))
    strength = _strength(dx, dy)
    height, width = strength.shape
    half = cv2.resize(lab, (max(1, width // 2), max(1, height // 2)), interpolation=cv2.INTER_AREA)
    reduced = _strength(*_gradient(cv2.GaussianBlur(half, (0, 0), _COARSE / 2))) / 2
    coarse = cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR)
    high = max(_LEAST, _HIGH * float(np.median(strength[border_mask(lab.shape)])))
    scale = _UNITS * (strength > _SHARP * coarse)
    along, down = (np.clip(g * scale, -32767, 32767).astype(np.int16) for g in _strongest(dx, dy))
    edges: Array = cv2.Canny(along, down, high * _LOW / _HIGH * _UNITS, high * _UNITS, L2gradient=True)
    return edges.astype(bool)


def border_mask(shape: tuple[int, ...], share: float = _BORDER) -> Array:
    """The outermost pixels of an image, bool (height, width)."""
    height, width = shape[:2]
    depth = max(2, round(share * min(height, width)))
    outermost = np.ones((height, width), bool)
    outermost[depth:-depth, depth:-depth] = False
    return outermost


def bounding_box(pixels: Array) -> tuple[int, int, int, int] | None:
    """[left, top, right, bottom] around the true pixels of a bool image, right and bottom exclusive."""
    columns, rows = np.flatnonzero(pixels.any(axis=0)), np.flatnonzero(pixels.any(axis=1))
    if not columns.size:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _gradient(lab: Array) -> tuple[Array, Array]:
    return cv2.Scharr(lab, cv2.CV_32F, 1, 0, scale=1 / 32), cv2.Scharr(lab, cv2.CV_32F, 0, 1, scale=1 / 32)


def _strength(dx: Array, dy: Array) -> Array:
    """Magnitude of the gradient over all channels, per pixel."""
    return cv2.sqrt(cv2.transform(dx * dx + dy * dy, np.ones((1, 3), np.float32)))


def _strongest(dx: Array, dy: Array) -> tuple[Array, Array]:
    """The gradient of each pixel in its channel with the strongest gradient."""
    (along, *other_along), (down, *other_down) = cv2.split(dx), cv2.split(dy)
    squared = along * along + down * down
    for x, y in zip(other_along, other_down, strict=True):
        other = x * x + y * y
        is_stronger = (other > squared).astype(np.uint8)
        for best, new in ((along, x), (down, y), (squared, other)):
            cv2.copyTo(new, is_stronger, best)
    return along, down
