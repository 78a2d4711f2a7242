"""The orientations of a crop, and which of them a class uses.

A stone's colour and inner structure identify it, so rotation and mirroring are the only augmentation.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

import cv2

from curation.imaging.centre_crop import cut_centre
from gemkit.arrays import Array

#: One, two and three quarter turns counter-clockwise.
_QUARTER_TURNS = (cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)


class Orientation(NamedTuple):
    """Mirrored left to right if `mirrored`, then rotated counter-clockwise by `rotation` degrees."""

    rotation: int
    mirrored: bool


def orientations(count: int) -> list[Orientation]:
    """`count` orientations: up to 8 evenly spaced rotations, and with 16 also their mirror images."""
    rotations = min(count, 8)
    return [Orientation(index % rotations * 360 // rotations, index >= rotations) for index in range(count)]


def orient(stored: Array, size: int, wanted: Iterable[Orientation]) -> Iterator[Array]:
    """Yield the visible centre, (size, size, 3), of a stored crop in each orientation.

    Only rotations by an odd multiple of 45° are interpolated, once. Quarter turns and mirroring move whole
    pixels.
    """
    rotated: dict[int, Array] = {}
    for rotation, mirrored in wanted:
        # Rotating a mirror image equals rotating the image the other way, then mirroring it.
        degrees = -rotation % 360 if mirrored else rotation
        quarters, rest = divmod(degrees, 90)
        if rest not in rotated:
            rotated[rest] = _rotated(stored, size, rest) if rest else cut_centre(stored, size)
        if degrees not in rotated:
            rotated[degrees] = cv2.rotate(rotated[rest], _QUARTER_TURNS[quarters - 1])
        yield cv2.flip(rotated[degrees], 1) if mirrored else rotated[degrees]


def _rotated(image: Array, size: int, degrees: int) -> Array:
    middle, centre = (image.shape[0] - 1) / 2, (size - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), degrees, 1.0)
    matrix[:, 2] += centre - middle
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def balanced_pairs(sources: int, count: int) -> Iterator[tuple[int, int]]:
    """All distinct (source image, orientation) indices of a class, ordered so that every prefix is balanced.

    Source images repeat round after round, so their numbers of views differ by at most one. The k-th pair
    takes position k mod `count` on a ring of orientations, so the orientations' counts also differ by at most
    one. Where a source image would repeat an orientation, because `sources` and `count` share a divisor, the
    position advances by one. The ring is ordered so that consecutive views of a source image differ as much
    as possible.
    """
    period = count // math.gcd(sources, count)
    steps = [(view * sources + view // period) % count for view in range(count)]
    ring = dict(zip(steps, _dissimilar_order(count), strict=True))
    for view, source in product(range(count), range(sources)):
        yield source, ring[(source + steps[view]) % count]


def _dissimilar_order(count: int) -> list[int]:
    """Indices of `orientations(count)`: every rotation once before any repeats, every other one mirrored."""
    rotations = min(count, 8)
    return [
        (3 * view + view // rotations) % rotations + count // 16 * 8 * (view % 2) for view in range(count)
    ]
