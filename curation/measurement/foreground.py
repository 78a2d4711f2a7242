"""What stands out from an image's background, and what reaches into it from its border.

All on a picture of about 64 pixels. A store photo's background is a plane of colour: even, or lit from one
side. It is fitted to the outermost pixels, and what differs from it makes regions: stones, and limbs, which
come in over a long part of the border, as hands do, gloved or bare.
"""

import functools
from typing import Any, NamedTuple

import cv2
import numpy as np

#: Lightness counts less than colour in the distance to the background: shadows are not stones.
_WEIGHTS = np.array([0.6, 1.0, 1.0], np.float32)

#: Least distance from the background, and how many times the background's own residual.
_DISTANCE, _RESIDUALS = 10.0, 4.0
#: The same for limbs: a white glove on white is paler than any stone.
_LIMB_DISTANCE, _LIMB_RESIDUALS = 5.0, 3.5

#: What is removed as too small to be a region.
_SPECK = np.ones((2, 2), np.uint8)
#: A region counts as a stone with this share of the image and of the largest region.
_STONE, _OF_LARGEST = 0.006, 0.25
#: Least share of its convex hull that a stone fills.
_COMPACT = 0.7

#: Least share of the image that a limb covers.
_LIMB_SHARE = 0.05

#: Gradient of lightness, L* a pixel, below which a surface is flat: a cabochon's shading is steeper.
_FLAT = 0.8


class _Frame(NamedTuple):
    """Geometry of pictures of one shape."""

    plane: np.ndarray  # (pixels, 3): 1, x, y
    outline: np.ndarray  # the outermost pixels, clockwise, as indices of the flattened picture
    outline_plane: np.ndarray


@functools.lru_cache(256)
def _frame(height: int, width: int) -> _Frame:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    plane = np.stack([np.ones_like(x), x / max(1, width - 1) * 2 - 1, y / max(1, height - 1) * 2 - 1], -1)
    numbers = np.arange(height * width).reshape(height, width)
    sides = (numbers[0], numbers[1:, -1], numbers[-1, -2::-1], numbers[-2:0:-1, 0])
    outline = np.concatenate(sides)
    return _Frame(plane.reshape(-1, 3), outline, plane.reshape(-1, 3)[outline])


class Background(NamedTuple):
    """`distance`: of each pixel from the fitted plane; `residual`: its median on the border."""

    distance: np.ndarray
    residual: float


class Regions(NamedTuple):
    """What stands out from the background as stones do.

    `mask`: its pixels, 0 and 1, specks left out; `outlines` and `areas` (shares of the image) of its regions;
    `largest`: number of the largest, None where nothing stands out; `filled`: its pixels and its holes.
    """

    mask: np.ndarray
    outlines: tuple[np.ndarray, ...]
    areas: np.ndarray
    largest: int | None
    filled: np.ndarray


class Limb(NamedTuple):
    """What stands out as limbs do, `mask` (0 and 1), and the region of it that meets the border over the
    longest run: `colours`, those of its pixels, and `run`, as a share of the border; none and 0 without."""

    mask: np.ndarray
    colours: np.ndarray
    run: float


class Scene(NamedTuple):
    """A picture, height × width × 3, float32, CIE Lab, and what several measurements need to know of it.

    `across` and `down`: the gradient, of each channel; `slope`: its size in lightness, `steepness`: in all
    three, in units of Lab a pixel.
    """

    lab: np.ndarray
    background: Background
    regions: Regions
    limb: Limb
    across: np.ndarray
    down: np.ndarray
    slope: np.ndarray
    steepness: np.ndarray


def scene(lab: np.ndarray) -> Scene:
    """Look at a picture."""
    background = fit_background(lab)
    across = cv2.Sobel(lab, cv2.CV_32F, 1, 0, scale=0.125)
    down = cv2.Sobel(lab, cv2.CV_32F, 0, 1, scale=0.125)
    squares = across * across + down * down
    return Scene(
        lab,
        background,
        _regions(background),
        _limb(lab, background),
        across,
        down,
        slope=np.sqrt(squares[..., 0]),
        steepness=np.sqrt(squares @ np.ones(3, np.float32)),
    )


def fit_background(lab: np.ndarray) -> Background:
    """Fit a plane of colour to the border by least squares, twice without what lies far off."""
    height, width = lab.shape[:2]
    frame = _frame(height, width)
    colours = lab.reshape(-1, 3)
    border = colours[frame.outline]
    away = _norm(border - median(border))
    fitted = np.zeros((3, 3), np.float32)
    for _ in range(2):
        near = away <= max(6.0, 2.5 * quantile(away, 0.5))
        plane = frame.outline_plane[near]
        # A little ridge: the border of a picture one pixel wide fixes no slope.
        fitted = np.linalg.solve(plane.T @ plane + 1e-3 * np.eye(3, dtype=np.float32), plane.T @ border[near])
        away = _norm(border - frame.outline_plane @ fitted)
    distance = _norm(colours - frame.plane @ fitted).reshape(height, width)
    return Background(distance, quantile(away, 0.5))


def _regions(background: Background) -> Regions:
    far = background.distance > max(_DISTANCE, _RESIDUALS * background.residual)
    mask = cv2.morphologyEx(far.view(np.uint8), cv2.MORPH_OPEN, _SPECK)
    outlines = tuple(cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0])
    areas = np.array([cv2.contourArea(outline) for outline in outlines]) / mask.size
    filled = np.zeros_like(mask)
    if not areas.any():
        return Regions(mask, outlines, areas, None, filled)
    largest = int(areas.argmax())
    return Regions(mask, outlines, areas, largest, cv2.drawContours(filled, outlines, largest, 1, -1))


def _limb(lab: np.ndarray, background: Background) -> Limb:
    far = background.distance > max(_LIMB_DISTANCE, _LIMB_RESIDUALS * background.residual)
    mask = far.view(np.uint8)
    found = longest_at_border(mask, _LIMB_SHARE)
    return Limb(mask, lab[found[0]], found[1]) if found else Limb(mask, lab[:0, 0], 0.0)


def stone_regions(scene: Scene) -> dict[str, Any]:
    """How many regions of about one size stand out, and what the largest is like.

    `stones`: their number; `stone_contrast`: distance from the background that one pixel in a hundred
    exceeds; of the largest, `stone_share`: of the image, `stone_solidity`: of its convex hull,
    `stone_elongation`: longer over shorter side of the smallest rectangle around it, `stone_flatness`: share
    of its surface without any shading, `stone_spread`: median distance of its pixels from their own median
    colour (a*, b*), `stone_box`: [left, top, right, bottom] in pixels. All 0 where nothing stands out.
    """
    regions = scene.regions
    contrast = quantile(scene.background.distance, 0.99)
    if regions.largest is None:
        return {
            "stones": 0, "stone_contrast": contrast, "stone_share": 0.0, "stone_solidity": 0.0,
            "stone_elongation": 0.0, "stone_flatness": 0.0, "stone_spread": 0.0, "stone_box": [0, 0, 0, 0],
        }  # fmt: skip
    outline, share = regions.outlines[regions.largest], float(regions.areas[regions.largest])
    least = max(_STONE, _OF_LARGEST * share)
    candidates = (regions.outlines[number] for number in np.flatnonzero(regions.areas > least))
    sides = cv2.minAreaRect(outline)[1]
    left, top, width, height = cv2.boundingRect(outline)
    inside = np.flatnonzero(cv2.drawContours(regions.filled.copy(), [outline], -1, 0, 3))
    return {
        "stones": sum(_is_stone(candidate, regions.mask.shape) for candidate in candidates),
        "stone_contrast": contrast,
        "stone_share": share,
        "stone_solidity": cv2.contourArea(outline) / cv2.contourArea(cv2.convexHull(outline)),
        "stone_elongation": (max(sides) + 1) / (min(sides) + 1),
        "stone_flatness": float((scene.slope.ravel()[inside] < _FLAT).mean()) if len(inside) else 0.0,
        "stone_spread": _spread(scene.lab.reshape(-1, 3)[inside, 1:]),
        "stone_box": [left, top, left + width, top + height],
    }


def _is_stone(outline: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether a region is compact and lies inside the picture; fingers come in from its border."""
    left, top, width, height = cv2.boundingRect(outline)
    is_inside = left > 0 and top > 0 and left + width < shape[1] and top + height < shape[0]
    return is_inside and cv2.contourArea(outline) > _COMPACT * cv2.contourArea(cv2.convexHull(outline))


def limbs(scene: Scene) -> dict[str, float]:
    """The region that meets the border over the longest run.

    `limb_share`: of the image, `limb_border`: its run as a share of the border, `limb_spread`: median
    distance of its pixels from their own median colour (Lab). All 0 without one.
    """
    limb = scene.limb
    share = len(limb.colours) / limb.mask.size
    return {"limb_share": share, "limb_border": limb.run, "limb_spread": _spread(limb.colours)}


def longest_at_border(mask: np.ndarray, share: float) -> tuple[np.ndarray, float] | None:
    """Of the mask's regions of at least that share of the image the one with the longest run at the border.

    Gives its pixels (height × width, bool) and the run as a share of the border; None when none is at it.
    """
    outline = _frame(*mask.shape).outline
    if not mask.reshape(-1)[outline].any():
        return None
    count, regions, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    at_border = regions.reshape(-1)[outline]
    runs = {
        region: _longest_run(at_border == region)
        for region in range(1, count)
        if stats[region, cv2.CC_STAT_AREA] >= share * mask.size
    }
    best = max(runs, key=lambda region: runs[region], default=0)
    if not best or not runs[best]:
        return None
    return regions == best, runs[best] / len(outline)


def _longest_run(on: np.ndarray) -> int:
    """Length of the longest row of True, around the end."""
    gaps = np.flatnonzero(~on)
    if not len(gaps):
        return len(on)
    return int(np.diff(gaps, append=gaps[0] + len(on)).max()) - 1


def _norm(differences: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(differences) @ np.square(_WEIGHTS))


def _spread(colours: np.ndarray) -> float:
    """Median distance of colours from their own median; `colours`: count × channels."""
    return quantile(distances(colours), 0.5) if len(colours) else 0.0


def distances(colours: np.ndarray) -> np.ndarray:
    """Of each colour from the median of all; `colours`: count × channels."""
    return np.sqrt(np.square(colours - median(colours)).sum(axis=1))


def median(colours: np.ndarray) -> np.ndarray:
    """The median of each channel; `colours`: count × channels."""
    place = (len(colours) - 1) // 2
    return np.partition(colours, place, axis=0)[place]


def quantile(values: np.ndarray, share: float) -> float:
    """One of the values, the one at that share of their order; ten times as fast as NumPy's quantile."""
    place = int(share * (values.size - 1))
    return float(np.partition(values, place, axis=None)[place])
