"""Features of an image from which the content classifier tells a stone, several stones, a hand or no stone.

Works on an image of about 64 pixels. Nothing is decided here: each feature is a plain number. The classifier
is `curation/cleaning/content_classifier.py`.
"""

from typing import NamedTuple

import cv2
import numpy as np

from curation.measurement.foreground import (
    Analysis,
    BorderComponent,
    Components,
    distances,
    median,
    quantile,
)
from gemkit.arrays import Array, Bytes

#: Gradients (Lab/pixel) below which a surface is flat, or nearly flat.
_FLAT, _NEARLY_FLAT = 0.8, 1.5
#: Minimum area of a large component, as a share of the image.
_LARGE = 0.006
#: Maximum distance (a*, b*) of a pixel from the border component's median colour to count as alike.
_ALIKE = 5.0
#: Maximum deviation of the hull from a straight side, pixels.
_STRAIGHT = 1.2
#: Structuring elements of the largest component's eroded and dilated margins.
_ERODED, _DILATED = np.ones((3, 3), np.uint8), np.ones((5, 5), np.uint8)
#: Minimum size of a surface, pixels.
_LEAST = 12


class _Outline(NamedTuple):
    """Of the largest component: the filled share of its area, its roundness (1 for a circle), the number of
    corners of its convex hull, and two shares of the hull's outline: that of the six longest sides, and that
    of the fifth and the sixth. A box seen at an angle has six sides.
    """

    filled: float = 0.0
    roundness: float = 0.0
    hull_corners: float = 0.0
    hull_longest_sides: float = 0.0
    hull_fifth_and_sixth_side: float = 0.0


class _Surface(NamedTuple):
    """Of the largest component: shares of flat and nearly flat pixels, mean gradient, texture energy.

    `gradient_outside`: the mean gradient of the rest of the image.
    """

    gradient_outside: float
    flat_share: float = 0.0
    nearly_flat_share: float = 0.0
    gradient_inside: float = 0.0
    texture_energy: float = 0.0


class _Directions(NamedTuple):
    """How far lightness gradients share one direction, are upright, and meet at right angles."""

    gradient_coherence: float
    gradient_uprightness: float
    gradient_orthogonality: float


class _BorderColour(NamedTuple):
    """Of the border component's distances (a*, b*) from its median colour: median, 90th percentile, and the
    share of at most _ALIKE.
    """

    border_component_chroma_spread: float = 0.0
    border_component_chroma_spread_90: float = 0.0
    border_component_uniformity: float = 0.0


class ShapeFeatures(NamedTuple):
    """The features, named as in MEASURED (`curation/tables.py`), which says what each is."""

    foreground: float
    components: float
    large_components: float
    filled: float
    roundness: float
    hull_corners: float
    hull_longest_sides: float
    hull_fifth_and_sixth_side: float
    centre_contrast: float
    border_side: float
    second_border_side: float
    flat_share: float
    nearly_flat_share: float
    gradient_inside: float
    gradient_outside: float
    texture_energy: float
    gradient_coherence: float
    gradient_uprightness: float
    gradient_orthogonality: float
    column_variance: float
    ring_chroma: float
    border_component_chroma_spread: float
    border_component_chroma_spread_90: float
    border_component_uniformity: float


def compute_features(image: Analysis) -> ShapeFeatures:
    """The features of an image."""
    components, lightness = image.components, cv2.extractChannel(image.lab, 0)
    largest_side, second_side = _border_sides(image.border_component.mask)
    return ShapeFeatures(
        foreground=cv2.countNonZero(components.mask) / components.mask.size,
        components=float(len(components.contours)),
        large_components=float(np.count_nonzero(components.areas > _LARGE)),
        centre_contrast=_centre_contrast(image.background.distance),
        border_side=largest_side,
        second_border_side=second_side,
        column_variance=_column_variance(lightness),
        ring_chroma=_ring_chroma(image.lab),
        **_outline(components)._asdict(),
        **_surface(lightness, image.colour_gradient, components.filled)._asdict(),
        **_directions(image.gradient_x[..., 0], image.gradient_y[..., 0], image.lightness_gradient)._asdict(),
        **_border_colour(image.border_component)._asdict(),
    )


def _outline(components: Components) -> _Outline:
    if components.largest is None:
        return _Outline()
    contour = components.contours[components.largest]
    filled = cv2.mean(components.mask, components.filled)[0]
    roundness = 4 * np.pi * cv2.contourArea(contour) / cv2.arcLength(contour, True) ** 2
    corners = cv2.approxPolyDP(cv2.convexHull(contour), _STRAIGHT, True)[:, 0].astype(float)
    sides = np.sort(np.hypot(*(np.roll(corners, -1, 0) - corners).T))[::-1]
    length = max(1.0, sides.sum())
    return _Outline(
        filled,
        roundness,
        float(len(corners)),
        float(sides[:6].sum() / length),
        float(sides[4:6].sum() / length),
    )


def _centre_contrast(distance: Array) -> float:
    """Mean distance from the background over the central half."""
    height, width = distance.shape
    middle = distance[height // 4 : height - height // 4, width // 4 : width - width // 4]
    return float(middle.mean())


def _border_sides(mask: Bytes) -> tuple[float, float]:
    """Share of each side of the image that the mask touches: the largest two."""
    sides = (mask[0].mean(), mask[-1].mean(), mask[:, 0].mean(), mask[:, -1].mean())
    largest, second, *_ = sorted(map(float, sides), reverse=True)
    return largest, second


def _surface(lightness: Array, gradient: Array, component: Bytes) -> _Surface:
    outside = cv2.mean(gradient, 1 - cv2.dilate(component, _DILATED))[0]
    core = cv2.erode(component, _ERODED)
    if cv2.countNonZero(core) < _LEAST:
        return _Surface(outside)
    inside = gradient[core > 0]
    texture = cv2.mean(np.abs(cv2.Laplacian(lightness, cv2.CV_32F)), core)[0]
    deviation = cv2.meanStdDev(lightness, mask=core)[1][0, 0]
    flat, nearly_flat = (inside < _FLAT).mean(), (inside < _NEARLY_FLAT).mean()
    return _Surface(
        outside, float(flat), float(nearly_flat), float(inside.mean()), float(texture / (deviation + 1))
    )


def _directions(gradient_x: Array, gradient_y: Array, magnitude: Array) -> _Directions:
    # Opposite directions coincide at twice their angle, perpendicular ones at four times their angle.
    scale = 1 / (magnitude + 1e-6)
    level = (gradient_x * gradient_x - gradient_y * gradient_y) * scale
    oblique = 2 * gradient_x * gradient_y * scale
    right, half_right = (level * level - oblique * oblique) * scale, 2 * level * oblique * scale
    total = magnitude.sum() + 1e-3
    return _Directions(
        float(np.hypot(level.sum(), oblique.sum()) / total),
        float(-level.sum() / total),
        float(np.hypot(right.sum(), half_right.sum()) / total),
    )


def _column_variance(lightness: Array) -> float:
    """Share of the variance of lightness that is between columns."""
    means = cv2.reduce(lightness, 0, cv2.REDUCE_AVG)
    between, whole = (cv2.meanStdDev(values)[1][0, 0] ** 2 for values in (means, lightness))
    return float(between / (whole + 1))


def _ring_chroma(lab: Array) -> float:
    """Chroma of the median colour of the outermost tenth."""
    depth = max(2, len(lab) // 10)
    strips = (lab[:depth], lab[-depth:], lab[depth:-depth, :depth], lab[depth:-depth, -depth:])
    return float(np.hypot(*median(np.concatenate([strip[..., 1:].reshape(-1, 2) for strip in strips]))))


def _border_colour(component: BorderComponent) -> _BorderColour:
    if not len(component.colours):
        return _BorderColour()
    distance = distances(component.colours[:, 1:])
    return _BorderColour(quantile(distance, 0.5), quantile(distance, 0.9), float((distance < _ALIKE).mean()))
