"""Separate an image from its background: its connected components, and the one that enters over the border.

Works on an image of about 64 pixels. The background of a store's image is a plane of colour: even, or lit
from one side. The plane is fitted to the outermost pixels. Pixels that differ from it form connected
components: stones, and a border component, which meets a long part of the border, as a hand, gloved or bare,
does.
"""

import functools
from typing import NamedTuple

import cv2
import numpy as np

from gemkit.arrays import Array

#: Weights of L*, a*, b* in the distance to the background. Lightness counts less: shadows are not stones.
_WEIGHTS = np.array([0.6, 1.0, 1.0], np.float32)

#: Minimum distance from the background (Lab), absolute and as a multiple of the background's residual.
_DISTANCE, _RESIDUALS = 10.0, 4.0
#: The same for the border component: a white glove on white is paler than any stone.
_BORDER_DISTANCE, _BORDER_RESIDUALS = 5.0, 3.5

#: Structuring element of the opening that removes specks.
_SPECK = np.ones((2, 2), np.uint8)
#: Minimum area of a stone, as a share of the image and of the largest component.
_STONE, _OF_LARGEST = 0.006, 0.25
#: Minimum share of its convex hull that a stone fills.
_COMPACT = 0.7

#: Minimum area of the border component, as a share of the image.
_BORDER_COMPONENT_SHARE = 0.05

#: Lightness gradient (L*/pixel) below which a surface is flat. A cabochon's shading is steeper.
_FLAT = 0.8


class _Grid(NamedTuple):
    """Pixel coordinates of images of one shape."""

    plane: Array  # (pixels, 3): 1, x, y
    outline: Array  # the outermost pixels, clockwise, as indices of the flattened image
    outline_plane: Array


@functools.lru_cache(256)
def _grid(height: int, width: int) -> _Grid:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    plane = np.stack([np.ones_like(x), x / max(1, width - 1) * 2 - 1, y / max(1, height - 1) * 2 - 1], -1)
    indices = np.arange(height * width).reshape(height, width)
    sides = (indices[0], indices[1:, -1], indices[-1, -2::-1], indices[-2:0:-1, 0])
    outline = np.concatenate(sides)
    return _Grid(plane.reshape(-1, 3), outline, plane.reshape(-1, 3)[outline])


class BackgroundPlane(NamedTuple):
    """`distance`: of each pixel from the fitted plane; `residual`: its median on the border."""

    distance: Array
    residual: float


class Components(NamedTuple):
    """The connected components that stand out from the background as stones do.

    `mask`: their pixels, 0 and 1, without specks; `contours` and `areas` (shares of the image): one per
    component; `largest`: index of the largest, None if there is none; `filled`: the largest with its holes.
    """

    mask: Array
    contours: tuple[Array, ...]
    areas: Array
    largest: int | None
    filled: Array


class BorderComponent(NamedTuple):
    """The component with the longest run along the border.

    `mask`: all pixels that differ from the background by the limits of border components, 0 and 1;
    `colours`: colours of the component's own pixels; `run`: its run as a share of the border. Without such a
    component `colours` is empty and `run` 0.
    """

    mask: Array
    colours: Array
    run: float


class Analysis(NamedTuple):
    """An image and the intermediate results that several measurements share.

    `lab`: height × width × 3, float32, CIE Lab; `gradient_x` and `gradient_y`: per channel;
    `lightness_gradient` and `colour_gradient`: magnitude in L* and in all three channels, Lab per pixel.
    """

    lab: Array
    background: BackgroundPlane
    components: Components
    border_component: BorderComponent
    gradient_x: Array
    gradient_y: Array
    lightness_gradient: Array
    colour_gradient: Array


def analyse(lab: Array) -> Analysis:
    """Separate an image, height × width × 3, float32, CIE Lab, from its background."""
    background = fit_plane(lab)
    gradient_x = cv2.Sobel(lab, cv2.CV_32F, 1, 0, scale=0.125)
    gradient_y = cv2.Sobel(lab, cv2.CV_32F, 0, 1, scale=0.125)
    squares = gradient_x * gradient_x + gradient_y * gradient_y
    return Analysis(
        lab,
        background,
        _components(background),
        _border_component(lab, background),
        gradient_x,
        gradient_y,
        lightness_gradient=np.sqrt(squares[..., 0]),
        colour_gradient=np.sqrt(squares @ np.ones(3, np.float32)),
    )


def fit_plane(lab: Array) -> BackgroundPlane:
    """Fit a plane of colour to the border by least squares, refitted twice without outliers."""
    height, width = lab.shape[:2]
    grid = _grid(height, width)
    colours = lab.reshape(-1, 3)
    border = colours[grid.outline]
    residuals = _norm(border - median(border))
    fitted = np.zeros((3, 3), np.float32)
    for _ in range(2):
        inliers = residuals <= max(6.0, 2.5 * quantile(residuals, 0.5))
        plane = grid.outline_plane[inliers]
        # A small ridge term: the border of an image one pixel wide does not determine a slope.
        fitted = np.linalg.solve(
            plane.T @ plane + 1e-3 * np.eye(3, dtype=np.float32), plane.T @ border[inliers]
        )
        residuals = _norm(border - grid.outline_plane @ fitted)
    distance = _norm(colours - grid.plane @ fitted).reshape(height, width)
    return BackgroundPlane(distance, quantile(residuals, 0.5))


def _components(background: BackgroundPlane) -> Components:
    far = background.distance > max(_DISTANCE, _RESIDUALS * background.residual)
    mask = cv2.morphologyEx(far.view(np.uint8), cv2.MORPH_OPEN, _SPECK)
    contours = tuple(cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0])
    areas = np.array([cv2.contourArea(contour) for contour in contours]) / mask.size
    filled = np.zeros_like(mask)
    if not areas.any():
        return Components(mask, contours, areas, None, filled)
    largest = int(areas.argmax())
    return Components(mask, contours, areas, largest, cv2.drawContours(filled, contours, largest, 1, -1))


def _border_component(lab: Array, background: BackgroundPlane) -> BorderComponent:
    far = background.distance > max(_BORDER_DISTANCE, _BORDER_RESIDUALS * background.residual)
    mask = far.view(np.uint8)
    found = longest_border_component(mask, _BORDER_COMPONENT_SHARE)
    if found is None:
        return BorderComponent(mask, lab[:0, 0], 0.0)
    return BorderComponent(mask, lab[found[0]], found[1])


class StoneMeasurements(NamedTuple):
    """The stone-like components, and the largest component; its measurements are 0 without one.

    `stones`: number of stone-like components; `stone_contrast`: 99th percentile of the distance from the
    background. Of the largest component: `stone_share`: its share of the image; `stone_solidity`: its share
    of its convex hull; `stone_elongation`: longer over shorter side of the smallest rectangle around it;
    `stone_flatness`: share of its surface without shading; `stone_spread`: median distance of its pixels from
    their own median colour (a*, b*); `stone_box`: left, top, right, bottom in pixels.
    """

    stones: int
    stone_contrast: float
    stone_share: float = 0.0
    stone_solidity: float = 0.0
    stone_elongation: float = 0.0
    stone_flatness: float = 0.0
    stone_spread: float = 0.0
    stone_box: tuple[float, float, float, float] = (0, 0, 0, 0)


class BorderComponentMeasurements(NamedTuple):
    """The component with the longest run along the border; all are 0 without one.

    `border_component_share`: its share of the image; `border_component_run`: its run as a share of the
    border; `border_component_spread`: median distance of its pixels from their own median colour (Lab).
    """

    border_component_share: float
    border_component_run: float
    border_component_spread: float


def stone_measurements(image: Analysis) -> StoneMeasurements:
    """Count the stone-like components and describe the largest component."""
    components = image.components
    contrast = quantile(image.background.distance, 0.99)
    if components.largest is None:
        return StoneMeasurements(0, contrast)
    contour, share = components.contours[components.largest], float(components.areas[components.largest])
    least = max(_STONE, _OF_LARGEST * share)
    candidates = (components.contours[index] for index in np.flatnonzero(components.areas > least))
    sides = cv2.minAreaRect(contour)[1]
    left, top, width, height = cv2.boundingRect(contour)
    inside = np.flatnonzero(cv2.drawContours(components.filled.copy(), [contour], -1, 0, 3))
    gradient = image.lightness_gradient.ravel()
    return StoneMeasurements(
        stones=sum(_is_stone(candidate, components.mask.shape) for candidate in candidates),
        stone_contrast=contrast,
        stone_share=share,
        stone_solidity=cv2.contourArea(contour) / cv2.contourArea(cv2.convexHull(contour)),
        stone_elongation=(max(sides) + 1) / (min(sides) + 1),
        stone_flatness=float((gradient[inside] < _FLAT).mean()) if len(inside) else 0.0,
        stone_spread=_spread(image.lab.reshape(-1, 3)[inside, 1:]),
        stone_box=(left, top, left + width, top + height),
    )


def _is_stone(contour: Array, shape: tuple[int, ...]) -> bool:
    """Whether a component is compact and does not touch the border, as fingers do."""
    left, top, width, height = cv2.boundingRect(contour)
    is_inside = left > 0 and top > 0 and left + width < shape[1] and top + height < shape[0]
    return is_inside and cv2.contourArea(contour) > _COMPACT * cv2.contourArea(cv2.convexHull(contour))


def border_component_measurements(image: Analysis) -> BorderComponentMeasurements:
    """Describe the component with the longest run along the border."""
    component = image.border_component
    return BorderComponentMeasurements(
        border_component_share=len(component.colours) / component.mask.size,
        border_component_run=component.run,
        border_component_spread=_spread(component.colours),
    )


def longest_border_component(mask: Array, share: float) -> tuple[Array, float] | None:
    """Find the mask's component of at least that share of the image with the longest run along the border.

    Returns its pixels (height × width, bool) and the run as a share of the border; None if no component
    meets the border.
    """
    outline = _grid(*mask.shape).outline
    if not mask.reshape(-1)[outline].any():
        return None
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    at_border = labels.reshape(-1)[outline]
    runs = {
        label: _longest_run(at_border == label)
        for label in range(1, count)
        if stats[label, cv2.CC_STAT_AREA] >= share * mask.size
    }
    best = max(runs, key=lambda label: runs[label], default=0)
    if not best or not runs[best]:
        return None
    return labels == best, runs[best] / len(outline)


def _longest_run(on: Array) -> int:
    """Length of the longest run of True in a circular array."""
    gaps = np.flatnonzero(~on)
    if not len(gaps):
        return len(on)
    return int(np.diff(gaps, append=gaps[0] + len(on)).max()) - 1


def _norm(differences: Array) -> Array:
    """Length of the Lab differences along the last axis, weighted by `_WEIGHTS`."""
    lengths: Array = np.sqrt(np.square(differences) @ np.square(_WEIGHTS))
    return lengths


def _spread(colours: Array) -> float:
    """Median distance of colours from their own median; `colours`: count × channels."""
    return quantile(distances(colours), 0.5) if len(colours) else 0.0


def distances(colours: Array) -> Array:
    """Distance of each colour from the median of all; `colours`: count × channels."""
    lengths: Array = np.sqrt(np.square(colours - median(colours)).sum(axis=1))
    return lengths


def median(colours: Array) -> Array:
    """The median of each channel; `colours`: count × channels."""
    rank = (len(colours) - 1) // 2
    middle: Array = np.partition(colours, rank, axis=0)[rank]
    return middle


def quantile(values: Array, share: float) -> float:
    """A quantile without interpolation: one of the values. Ten times as fast as NumPy's."""
    rank = int(share * (values.size - 1))
    return float(np.partition(values, rank, axis=None)[rank])
