"""The stone before a uniform background, by colour and edges alone: ten times as fast as a network.

A background of one colour, evenly lit or not, is a smooth surface in CIE Lab, fitted to the picture's rim.
From the rim the background is flooded inwards until sharp edges or a colour far from it stop the flood: what
is left is stone. Shadows and the light a stone throws have no sharp edges and are flooded.
"""

from typing import NamedTuple

import cv2
import numpy as np

from curation.cropping.edges import rim
from curation.cropping.matting import Stones, opened, pieces, solidity, without_inlets

#: Lightness counts less than colour in the distance to the background: shadows are not stones.
_WEIGHTS = np.array([0.7, 1.0, 1.0], np.float32)
#: A colour is the background's within this distance, or this many times the rim's residual.
_DISTANCE, _RESIDUALS = 4.0, 2.5
#: Powers of y and x in the terms of the surface: 1, x, y, xy, x², y²; the least weight of a plain background.
_TERMS = np.array([0, 0, 1, 1, 0, 2]), np.array([0, 1, 0, 1, 2, 0])
_RIDGE = np.array([1e-3, 0.01, 0.01, 0.03, 0.03, 0.03], np.float32)
#: Pixels of the rim that the surface is fitted to.
_SAMPLES = 500
#: The flood stops at this share of the distance that the stone's colours have, at least at this distance.
_STONE, _LEAST = 0.5, 12.0
#: An edge stops it where a colour beside it is at least at this share of that distance: a watermark's is not.
_WALL = 0.3
#: Radius of what is too thin for a stone, pixels.
_THINNEST = 2
#: A shadow differs from the background in chroma by less than this, or this share of what the stone does.
_PLAIN, _SHADED = 4.0, 0.3
#: What is left of a stone without its shadow: at least this share, and no less convex.
_LIT = 0.7


class Backdrop(NamedTuple):
    """`difference`: of each pixel's Lab from the fitted surface; `distance`: its length, as `_WEIGHTS` says.

    `residual`: median distance over the rim; `uniformity`: share of the rim that is of the surface's colour.
    """

    difference: np.ndarray
    distance: np.ndarray
    residual: float
    uniformity: float


def fit_backdrop(lab: np.ndarray) -> Backdrop:
    """Fit a surface of second order to the rim by least squares, three times without what lies far off."""
    places = np.flatnonzero(rim(lab.shape))
    places = places[:: max(1, len(places) // _SAMPLES)]
    down, across = _powers(lab.shape[0]), _powers(lab.shape[1])
    rows, columns = np.divmod(places, lab.shape[1])
    terms = down[rows][:, _TERMS[0]] * across[columns][:, _TERMS[1]]
    colours = lab.reshape(-1, 3)[places]
    centre = np.median(colours, axis=0)
    away = _norm(colours - centre)
    for _ in range(3):
        near = away <= _near(away)
        chosen = terms[near]
        fitted = np.linalg.solve(
            chosen.T @ chosen + np.diag(_RIDGE * len(colours)), chosen.T @ (colours[near] - centre)
        )
        away = _norm(colours - centre - terms @ fitted)
    surface = np.zeros((3, 3, 3), np.float32)  # channel, power of y, power of x
    surface[:, *_TERMS] = fitted.T
    surface[:, 0, 0] += centre
    difference = lab - cv2.merge([down @ channel @ across.T for channel in surface])
    return Backdrop(
        difference, _norm(difference), float(np.median(away)), float((away <= _near(away)).mean())
    )


def uniform_mask(backdrop: Backdrop, edges: np.ndarray, stones: Stones) -> np.ndarray:
    """The pixels that the flood from the rim leaves, bool (height, width)."""
    far = backdrop.distance[backdrop.distance > max(10.0, 5 * backdrop.residual)]
    typical = float(np.median(far)) if far.size else 0.0
    limit = max(_LEAST, 5 * backdrop.residual, _STONE * typical)
    beside = np.ones((3, 3), np.uint8)
    strong = edges & (cv2.dilate(backdrop.distance, beside) >= _WALL * typical)
    wall = cv2.dilate(strong.astype(np.uint8), beside)
    free = ((backdrop.distance < limit) & (wall == 0)).astype(np.uint8)
    padded = cv2.copyMakeBorder(free, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    cv2.floodFill(padded, None, (0, 0), 2)
    flooded = cv2.dilate((padded == 2).astype(np.uint8), beside)[1:-1, 1:-1]
    left = pieces(opened(flooded == 0, _THINNEST), stones)
    return without_shadow(backdrop, without_inlets(left), stones)


def without_shadow(backdrop: Backdrop, stone: np.ndarray, stones: Stones) -> np.ndarray:
    """A bool mask without the shadow at its side, which is of the background's colour, only darker."""
    lit = pieces(opened(stone & ~_shadow(backdrop, stone)), stones)
    is_stone = lit.sum() >= _LIT * stone.sum() and solidity(lit) >= solidity(stone)
    return lit if is_stone else stone


def _shadow(backdrop: Backdrop, stone: np.ndarray) -> np.ndarray:
    """Pixels darker than the background and, for a stone of another colour, of the background's."""
    lightness, red_green, yellow_blue = cv2.split(backdrop.difference)
    chroma = cv2.magnitude(red_green, yellow_blue)
    typical = float(np.median(chroma[stone])) if stone.any() else 0.0
    return (lightness < 0) & (chroma < max(_PLAIN, _SHADED * typical))


def _powers(count: int) -> np.ndarray:
    """1, x and x² of `count` places from −1 to 1, float32 (count, 3)."""
    return np.linspace(-1, 1, count, dtype=np.float32)[:, None] ** np.arange(3, dtype=np.float32)


def _norm(differences: np.ndarray) -> np.ndarray:
    """Length of the Lab differences in the last axis, as `_WEIGHTS` weighs them."""
    squares = (differences * differences).reshape(-1, 1, 3)
    return np.sqrt(cv2.transform(squares, _WEIGHTS[None] ** 2)).reshape(differences.shape[:-1])


def _near(away: np.ndarray) -> float:
    return max(_DISTANCE, _RESIDUALS * float(np.median(away)))
