"""Segment a stone on a uniform background by colour and edges, ten times as fast as a network.

A background of one colour, evenly lit or not, is a smooth surface in CIE Lab, fitted to the image's border.
The flood fill starts at the border and stops at sharp edges and at colours far from the background. The rest
is stone. Shadows and the light that a stone casts have no sharp edges, so they are flooded.
"""

from typing import NamedTuple

import cv2
import numpy as np

from curation.cropping.edges import border_mask
from curation.cropping.matting import Stones, components, fill_concavities, opened, solidity
from gemkit.arrays import Array

#: Weights of L*, a*, b* in the distance to the background. Lightness counts less: shadows are not stones.
_WEIGHTS = np.array([0.7, 1.0, 1.0], np.float32)
#: Maximum distance (Lab) of a background colour, absolute and as a multiple of the border's residual.
_DISTANCE, _RESIDUALS = 4.0, 2.5
#: Powers of y and x in the terms of the surface (1, x, y, xy, x², y²), and their ridge penalties.
_TERMS = np.array([0, 0, 1, 1, 0, 2]), np.array([0, 1, 0, 1, 2, 0])
_RIDGE = np.array([1e-3, 0.01, 0.01, 0.03, 0.03, 0.03], np.float32)
#: Border pixels that the surface is fitted to.
_SAMPLES = 500
#: The flood stops at this share of the stone's typical distance (Lab), but not below the second value.
_STONE, _LEAST = 0.5, 12.0
#: An edge stops the flood if a colour next to it has at least this share of that distance. A watermark's has
#: less.
_WALL = 0.3
#: Radius of parts too thin for a stone, pixels.
_THINNEST = 2
#: Maximum chroma difference of a shadow from the background (Lab), absolute and as a share of the stone's.
_PLAIN, _SHADED = 4.0, 0.3
#: Minimum share of a stone that remains without its shadow; it must also be no less convex.
_LIT = 0.7


class BackgroundSurface(NamedTuple):
    """`difference`: each pixel's Lab minus the fitted surface; `distance`: its weighted length.

    `residual`: median distance over the border; `uniformity`: share of the border with the surface's colour.
    """

    difference: Array
    distance: Array
    residual: float
    uniformity: float


def fit_surface(lab: Array) -> BackgroundSurface:
    """Fit a second-order surface to the border by least squares, refitted three times without outliers."""
    indices = np.flatnonzero(border_mask(lab.shape))
    indices = indices[:: max(1, len(indices) // _SAMPLES)]
    down, across = _powers(lab.shape[0]), _powers(lab.shape[1])
    rows, columns = np.divmod(indices, lab.shape[1])
    terms = down[rows][:, _TERMS[0]] * across[columns][:, _TERMS[1]]
    colours = lab.reshape(-1, 3)[indices]
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
    return BackgroundSurface(
        difference, _norm(difference), float(np.median(away)), float((away <= _near(away)).mean())
    )


def flood_fill_mask(background: BackgroundSurface, edges: Array, stones: Stones) -> Array:
    """The pixels that the flood from the border does not reach, bool (height, width)."""
    far = background.distance[background.distance > max(10.0, 5 * background.residual)]
    typical = float(np.median(far)) if far.size else 0.0
    limit = max(_LEAST, 5 * background.residual, _STONE * typical)
    neighbourhood = np.ones((3, 3), np.uint8)
    strong = edges & (cv2.dilate(background.distance, neighbourhood) >= _WALL * typical)
    wall = cv2.dilate(strong.astype(np.uint8), neighbourhood)
    free = ((background.distance < limit) & (wall == 0)).astype(np.uint8)
    padded = cv2.copyMakeBorder(free, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    cv2.floodFill(padded, None, (0, 0), 2)
    flooded = cv2.dilate((padded == 2).astype(np.uint8), neighbourhood)[1:-1, 1:-1]
    left = components(opened(flooded == 0, _THINNEST), stones)
    return without_shadow(background, fill_concavities(left), stones)


def without_shadow(background: BackgroundSurface, stone: Array, stones: Stones) -> Array:
    """A bool mask without the shadow at its side, which has the background's colour but is darker."""
    lit = components(opened(stone & ~_shadow(background, stone)), stones)
    is_stone = lit.sum() >= _LIT * stone.sum() and solidity(lit) >= solidity(stone)
    return lit if is_stone else stone


def _shadow(background: BackgroundSurface, stone: Array) -> Array:
    """Pixels darker than the background and of its colour, relative to the stone's."""
    lightness, red_green, yellow_blue = cv2.split(background.difference)
    chroma = cv2.magnitude(red_green, yellow_blue)
    typical = float(np.median(chroma[stone])) if stone.any() else 0.0
    return (lightness < 0) & (chroma < max(_PLAIN, _SHADED * typical))


def _powers(count: int) -> Array:
    """1, x and x² at `count` points from −1 to 1, float32 (count, 3)."""
    return np.linspace(-1, 1, count, dtype=np.float32)[:, None] ** np.arange(3, dtype=np.float32)


def _norm(differences: Array) -> Array:
    """Length of the Lab differences along the last axis, weighted by `_WEIGHTS`."""
    squares = (differences * differences).reshape(-1, 1, 3)
    return np.sqrt(cv2.transform(squares, _WEIGHTS[None] ** 2)).reshape(differences.shape[:-1])


def _near(away: Array) -> float:
    return max(_DISTANCE, _RESIDUALS * float(np.median(away)))
