"""The orientations of a crop, and which of them a class uses.

A stone's colour and inner structure identify it: turning and mirroring are all the augmentation there is.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

import cv2
import numpy as np

from curation.imaging.centre_crop import cut_centre

#: One, two and three quarter turns counter-clockwise.
_QUARTER_TURNS = (cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)


class Orientation(NamedTuple):
    """First mirrored left to right or not, then turned counter-clockwise by `rotation` degrees."""

    rotation: int
    mirrored: bool


def orientations(count: int) -> list[Orientation]:
    """`count` orientations: even turns of the circle up to 8, and with 16 their mirror images too."""
    turns = min(count, 8)
    return [Orientation(index % turns * 360 // turns, index >= turns) for index in range(count)]


def orient(stored: np.ndarray, size: int, wanted: Iterable[Orientation]) -> Iterator[np.ndarray]:
    """The visible centre, (size, size, 3), of a stored crop in each orientation, one after the other.

    Only an eighth of a turn is interpolated, once; quarter turns and mirroring move pixels as they are.
    """
    turned: dict[int, np.ndarray] = {}
    for rotation, mirrored in wanted:
        # A mirror image turned one way is the picture turned the other way, then mirrored.
        degrees = -rotation % 360 if mirrored else rotation
        quarters, rest = divmod(degrees, 90)
        if rest not in turned:
            turned[rest] = _turned(stored, size, rest) if rest else cut_centre(stored, size)
        if degrees not in turned:
            turned[degrees] = cv2.rotate(turned[rest], _QUARTER_TURNS[quarters - 1])
        yield cv2.flip(turned[degrees], 1) if mirrored else turned[degrees]


def _turned(image: np.ndarray, size: int, degrees: int) -> np.ndarray:
    middle, centre = (image.shape[0] - 1) / 2, (size - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), degrees, 1.0)
    matrix[:, 2] += centre - middle
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def pairs(photos: int, count: int) -> Iterator[tuple[int, int]]:
    """All distinct (photo, orientation) indices of a class, in an order of which any beginning is balanced.

    Photos follow round after round, so that their uses differ by at most one. Orientations have places on a
    ring that follow in turn, the k-th pair taking k mod count, so that theirs differ by at most one too;
    where a photo would meet one again (photos and count have a common divisor) the place moves on by one. The
    places are given out such that the uses of a photo are unlike one another.
    """
    period = count // math.gcd(photos, count)
    steps = [(use * photos + use // period) % count for use in range(count)]
    ring = dict(zip(steps, _unlike(count), strict=True))
    for use, photo in product(range(count), range(photos)):
        yield photo, ring[(photo + steps[use]) % count]


def _unlike(count: int) -> list[int]:
    """Indices of `orientations(count)`: every rotation before one comes again, every other one mirrored."""
    turns = min(count, 8)
    return [(3 * use + use // turns) % turns + count // 16 * 8 * (use % 2) for use in range(count)]
