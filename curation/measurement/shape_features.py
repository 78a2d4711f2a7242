"""Features of an image from which the content classifier tells a stone, several stones, a hand or no stone.

Works on an image of about 64 pixels. Nothing is decided here: each feature is a plain number. The classifier
is `curation/cleaning/content_classifier.py`.
"""

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

#: Order of the features.
FEATURE_NAMES = (
    "foreground", "components", "large_components", "filled", "roundness", "hull_corners",
    "hull_longest_sides", "hull_fifth_and_sixth_side", "centre_contrast", "border_side", "second_border_side",
    "flat_share", "nearly_flat_share", "gradient_inside", "gradient_outside", "texture_energy",
    "gradient_coherence", "gradient_uprightness", "gradient_orthogonality", "column_variance", "ring_chroma",
    "border_component_chroma_spread", "border_component_chroma_spread_90", "border_component_uniformity",
)  # fmt: skip

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


def compute_features(image: Analysis) -> list[float]:
    """The features, in order of FEATURE_NAMES."""
    components, lightness = image.components, cv2.extractChannel(image.lab, 0)
    features: tuple[float, ...] = (
        cv2.countNonZero(components.mask) / components.mask.size,
        len(components.contours),
        int(np.count_nonzero(components.areas > _LARGE)),
        *_outline(components),
        _centre_contrast(image.background.distance),
        *_border_sides(image.border_component.mask),
        *_surface(lightness, image.colour_gradient, components.filled),
        *_directions(image.gradient_x[..., 0], image.gradient_y[..., 0], image.lightness_gradient),
        _column_variance(lightness),
        _ring_chroma(image.lab),
        *_border_component(image.border_component),
    )
    return [float(feature) for feature in features]


def _outline(components: Components) -> tuple[float, ...]:
    """Outline of the largest component.

    The filled share of its area, its roundness (1 for a circle), the number of corners of its convex hull,
    and two shares of the hull's outline: that of the six longest sides, and that of the fifth and the sixth.
    A box seen at an angle has six sides.
    """
    if components.largest is None:
        return 0, 0, 0, 0, 0
    contour = components.contours[components.largest]
    filled = cv2.mean(components.mask, components.filled)[0]
    roundness = 4 * np.pi * cv2.contourArea(contour) / cv2.arcLength(contour, True) ** 2
    corners = cv2.approxPolyDP(cv2.convexHull(contour), _STRAIGHT, True)[:, 0].astype(float)
    sides = np.sort(np.hypot(*(np.roll(corners, -1, 0) - corners).T))[::-1]
    length = max(1.0, sides.sum())
    return filled, roundness, len(corners), sides[:6].sum() / length, sides[4:6].sum() / length


def _centre_contrast(distance: np.ndarray) -> float:
    """Mean distance from the background over the central half."""
    height, width = distance.shape
    middle = distance[height // 4 : height - height // 4, width // 4 : width - width // 4]
    return middle.mean()


def _border_sides(mask: np.ndarray) -> list[float]:
    """Share of each side of the image that the mask touches: the largest two."""
    sides = (mask[0].mean(), mask[-1].mean(), mask[:, 0].mean(), mask[:, -1].mean())
    return sorted(sides, reverse=True)[:2]


def _surface(lightness: np.ndarray, gradient: np.ndarray, component: np.ndarray) -> tuple[float, ...]:
    """Flat shares and mean gradient inside the largest component, mean gradient outside, texture energy."""
    outside = cv2.mean(gradient, 1 - cv2.dilate(component, _DILATED))[0]
    core = cv2.erode(component, _ERODED)
    if cv2.countNonZero(core) < _LEAST:
        return 0, 0, 0, outside, 0
    inside = gradient[core > 0]
    texture = cv2.mean(np.abs(cv2.Laplacian(lightness, cv2.CV_32F)), core)[0]
    deviation = cv2.meanStdDev(lightness, mask=core)[1][0, 0]
    flat, nearly_flat = (inside < _FLAT).mean(), (inside < _NEARLY_FLAT).mean()
    return flat, nearly_flat, inside.mean(), outside, texture / (deviation + 1)


def _directions(gradient_x: np.ndarray, gradient_y: np.ndarray, magnitude: np.ndarray) -> tuple[float, ...]:
    """How far lightness gradients share one direction, are upright, and meet at right angles."""
    # Opposite directions coincide at twice their angle, perpendicular ones at four times their angle.
    scale = 1 / (magnitude + 1e-6)
    level = (gradient_x * gradient_x - gradient_y * gradient_y) * scale
    oblique = 2 * gradient_x * gradient_y * scale
    right, half_right = (level * level - oblique * oblique) * scale, 2 * level * oblique * scale
    total = magnitude.sum() + 1e-3
    return (
        np.hypot(level.sum(), oblique.sum()) / total,
        -level.sum() / total,
        np.hypot(right.sum(), half_right.sum()) / total,
    )


def _column_variance(lightness: np.ndarray) -> float:
    """Share of the variance of lightness that is between columns."""
    means = cv2.reduce(lightness, 0, cv2.REDUCE_AVG)
    between, whole = (cv2.meanStdDev(values)[1][0, 0] ** 2 for values in (means, lightness))
    return between / (whole + 1)


def _ring_chroma(lab: np.ndarray) -> float:
    """Chroma of the median colour of the outermost tenth."""
    depth = max(2, len(lab) // 10)
    strips = (lab[:depth], lab[-depth:], lab[depth:-depth, :depth], lab[depth:-depth, -depth:])
    return np.hypot(*median(np.concatenate([strip[..., 1:].reshape(-1, 2) for strip in strips])))


def _border_component(component: BorderComponent) -> tuple[float, ...]:
    """Median and 90th percentile of the distances (a*, b*) from the median colour; share within _ALIKE."""
    if not len(component.colours):
        return 0, 0, 0
    distance = distances(component.colours[:, 1:])
    return quantile(distance, 0.5), quantile(distance, 0.9), (distance < _ALIKE).mean()
