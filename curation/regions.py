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

#: A region counts as a stone with this share of the image and of the largest region.
_STONE, _OF_LARGEST = 0.006, 0.25
#: Least share of its convex hull that a stone fills.
_COMPACT = 0.7

#: Least share of the image that a limb covers.
LIMB_SHARE = 0.05

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


def fit_background(lab: np.ndarray) -> Background:
    """Fit a plane of colour to the border by least squares, twice without what lies far off.

    `lab`: height × width × 3, float32, CIE Lab.
    """
    height, width = lab.shape[:2]
    frame = _frame(height, width)
    colours = lab.reshape(-1, 3)
    border = colours[frame.outline]
    away = _norm(border - np.array([_median(channel) for channel in border.T], np.float32))
    fitted = np.zeros((3, 3), np.float32)
    for _ in range(2):
        near = away <= max(6.0, 2.5 * _median(away))
        plane = frame.outline_plane[near]
        # A little ridge: the border of a picture one pixel wide fixes no slope.
        fitted = np.linalg.solve(plane.T @ plane + 1e-3 * np.eye(3, dtype=np.float32), plane.T @ border[near])
        away = _norm(border - frame.outline_plane @ fitted)
    distance = _norm(colours - frame.plane @ fitted).reshape(height, width)
    return Background(distance, _median(away))


def far_pixels(background: Background) -> np.ndarray:
    """Mask (0 and 1) of what stands out from the background as a stone does."""
    return (background.distance > max(_DISTANCE, _RESIDUALS * background.residual)).astype(np.uint8)


def limb_pixels(background: Background) -> np.ndarray:
    """Mask (0 and 1) of what stands out as a limb does, which may be as pale as the background."""
    return (background.distance > max(_LIMB_DISTANCE, _LIMB_RESIDUALS * background.residual)).astype(np.uint8)


def stone_regions(lab: np.ndarray, background: Background) -> dict[str, Any]:
    """How many regions of about one size stand out, and what the largest is like.

    `stones`: their number; `stone_contrast`: distance from the background that one pixel in a hundred
    exceeds; of the largest, `stone_share`: of the image, `stone_solidity`: of its convex hull,
    `stone_elongation`: longer over shorter side of the smallest rectangle around it, `stone_flatness`: share
    of its surface without any shading, `stone_spread`: median distance of its pixels from their own median
    colour (a*, b*), `stone_box`: [left, top, right, bottom] as shares of width and height.
    All 0 where nothing stands out.
    """
    mask = far_pixels(background)
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    areas = np.array([cv2.contourArea(contour) for contour in contours], np.float64) / mask.size
    contrast = _quantile(background.distance, 0.99)
    if not len(areas) or areas.max() <= 0:
        return {
            "stones": 0, "stone_contrast": contrast, "stone_share": 0.0, "stone_solidity": 0.0,
            "stone_elongation": 0.0, "stone_flatness": 0.0, "stone_spread": 0.0, "stone_box": [0.0] * 4,
        }  # fmt: skip
    largest = contours[int(areas.argmax())]
    share = float(areas.max())
    least = max(_STONE, _OF_LARGEST * share)
    candidates = [contour for contour, area in zip(contours, areas, strict=True) if area > least]
    sides = cv2.minAreaRect(largest)[1]
    hull = cv2.contourArea(cv2.convexHull(largest)) / mask.size
    return {
        "stones": sum(_is_stone(contour, mask.shape) for contour in candidates),
        "stone_contrast": contrast,
        "stone_share": share,
        "stone_solidity": share / hull,
        "stone_elongation": (max(sides) + 1) / (min(sides) + 1),
        **_surface(lab, largest),
        "stone_box": _box(largest, mask.shape),
    }


def _is_stone(contour: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether a region is compact and lies inside the picture; fingers come in from its border."""
    left, top, width, height = cv2.boundingRect(contour)
    is_inside = left > 0 and top > 0 and left + width < shape[1] and top + height < shape[0]
    return is_inside and cv2.contourArea(contour) > _COMPACT * cv2.contourArea(cv2.convexHull(contour))


def _box(contour: np.ndarray, shape: tuple[int, ...]) -> list[float]:
    left, top, width, height = cv2.boundingRect(contour)
    return [left / shape[1], top / shape[0], (left + width) / shape[1], (top + height) / shape[0]]


def _surface(lab: np.ndarray, contour: np.ndarray) -> dict[str, float]:
    """`stone_flatness` and `stone_spread`, of what lies inside a contour, its edge left out."""
    mask = np.zeros(lab.shape[:2], np.uint8)
    cv2.drawContours(mask, [contour], -1, 1, -1)
    cv2.drawContours(mask, [contour], -1, 0, 3)
    inside = mask > 0
    if not inside.any():
        return {"stone_flatness": 0.0, "stone_spread": 0.0}
    across = cv2.Sobel(lab[..., 0], cv2.CV_32F, 1, 0, scale=0.125)
    down = cv2.Sobel(lab[..., 0], cv2.CV_32F, 0, 1, scale=0.125)
    return {
        "stone_flatness": float((cv2.magnitude(across, down)[inside] < _FLAT).mean()),
        "stone_spread": _spread(lab[inside][:, 1:]),
    }


def limbs(lab: np.ndarray, background: Background) -> dict[str, float]:
    """The region that meets the border over the longest run.

    `limb_share`: of the image, `limb_border`: its run as a share of the border, `limb_spread`: median
    distance of its pixels from their own median colour (Lab). All 0 without one.
    """
    mask = limb_pixels(background)
    found = longest_at_border(mask, LIMB_SHARE)
    if found is None:
        return {"limb_share": 0.0, "limb_border": 0.0, "limb_spread": 0.0}
    inside, run = found
    return {"limb_share": float(inside.mean()), "limb_border": run, "limb_spread": _spread(lab[inside])}


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
    return _median(np.linalg.norm(colours - [_median(channel) for channel in colours.T], axis=1))


def _median(values: np.ndarray) -> float:
    return _quantile(values, 0.5)


def _quantile(values: np.ndarray, share: float) -> float:
    """One of the values, the one at that share of their order; ten times as fast as NumPy's quantile."""
    place = int(share * (values.size - 1))
    return float(np.partition(values, place, axis=None)[place])
