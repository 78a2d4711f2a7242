"""Traits of a picture that tell what kind of thing it shows (`kinds.py`): a stone, several, a hand, no stone.

All on a picture of about 64 pixels. Nothing here decides anything: each trait is a plain number.
"""

import cv2
import numpy as np

from curation.measurement.foreground import Limb, Regions, Scene, distances, median, quantile

#: Order of the traits.
NAMES = (
    "foreground", "pieces", "large_pieces", "filled", "roundness", "hull_corners", "hull_longest",
    "hull_sixth", "centre_distance", "border_most", "border_second", "flat", "nearly_flat", "gradient",
    "gradient_outside", "graininess", "one_direction", "one_direction_upright", "right_angles", "columns",
    "ring_chroma", "limb_colour", "limb_colour_far", "limb_even",
)  # fmt: skip

#: Gradients (Lab a pixel) below which a surface is flat, or nearly so.
_FLAT, _NEARLY_FLAT = 0.8, 1.5
#: Share of the image from which on a piece is large.
_LARGE = 0.006
#: Distance (a*, b*) from a limb's median colour within which a pixel is like it.
_LIKE = 5.0
#: Deviation of the hull's outline, in pixels, that still counts as straight.
_STRAIGHT = 1.2
#: Pixels at the edge of the largest piece that are not its surface, and around it that are not yet outside.
_EDGE, _AROUND = np.ones((3, 3), np.uint8), np.ones((5, 5), np.uint8)
#: Least pixels of a surface.
_LEAST = 12


def picture_traits(scene: Scene) -> list[float]:
    """The traits, in order of NAMES."""
    regions, lightness = scene.regions, cv2.extractChannel(scene.lab, 0)
    traits: tuple[float, ...] = (
        cv2.countNonZero(regions.mask) / regions.mask.size,
        len(regions.outlines),
        int(np.count_nonzero(regions.areas > _LARGE)),
        *_outline(regions),
        _centre(scene.background.distance),
        *_border(scene.limb.mask),
        *_surface(lightness, scene.steepness, regions.filled),
        *_directions(scene.across[..., 0], scene.down[..., 0], scene.slope),
        _columns(lightness),
        _ring_chroma(scene.lab),
        *_limb(scene.limb),
    )
    return [float(trait) for trait in traits]


def _outline(regions: Regions) -> tuple[float, ...]:
    """Of the largest piece: filled share, roundness (1 for a circle), corners of the convex hull, and shares
    of its outline: that of its six longest sides and of the fifth and sixth; boxes seen askew have six."""
    if regions.largest is None:
        return 0, 0, 0, 0, 0
    outline = regions.outlines[regions.largest]
    filled = cv2.mean(regions.mask, regions.filled)[0]
    roundness = 4 * np.pi * cv2.contourArea(outline) / cv2.arcLength(outline, True) ** 2
    corners = cv2.approxPolyDP(cv2.convexHull(outline), _STRAIGHT, True)[:, 0].astype(float)
    sides = np.sort(np.hypot(*(np.roll(corners, -1, 0) - corners).T))[::-1]
    around = max(1.0, sides.sum())
    return filled, roundness, len(corners), sides[:6].sum() / around, sides[4:6].sum() / around


def _centre(distance: np.ndarray) -> float:
    """Mean of the central half."""
    height, width = distance.shape
    middle = distance[height // 4 : height - height // 4, width // 4 : width - width // 4]
    return middle.mean()


def _border(limbs: np.ndarray) -> list[float]:
    """Share of each side of the picture that something comes in over: the largest two."""
    sides = (limbs[0].mean(), limbs[-1].mean(), limbs[:, 0].mean(), limbs[:, -1].mean())
    return sorted(sides, reverse=True)[:2]


def _surface(lightness: np.ndarray, steepness: np.ndarray, region: np.ndarray) -> tuple[float, ...]:
    """Flatness and gradient inside the largest piece, gradient outside, and how grainy its shading is."""
    beyond = cv2.mean(steepness, 1 - cv2.dilate(region, _AROUND))[0]
    core = cv2.erode(region, _EDGE)
    if cv2.countNonZero(core) < _LEAST:
        return 0, 0, 0, beyond, 0
    inside = steepness[core > 0]
    grain = cv2.mean(np.abs(cv2.Laplacian(lightness, cv2.CV_32F)), core)[0]
    deviation = cv2.meanStdDev(lightness, mask=core)[1][0, 0]
    flat, nearly_flat = (inside < _FLAT).mean(), (inside < _NEARLY_FLAT).mean()
    return flat, nearly_flat, inside.mean(), beyond, grain / (deviation + 1)


def _directions(across: np.ndarray, down: np.ndarray, size: np.ndarray) -> tuple[float, ...]:
    """How far gradients of lightness have one direction, are upright or level, meet at right angles."""
    # At twice an angle opposite directions are one; at four times it, those at right angles are.
    each = 1 / (size + 1e-6)
    level, askew = (across * across - down * down) * each, 2 * across * down * each
    right, half_right = (level * level - askew * askew) * each, 2 * level * askew * each
    total = size.sum() + 1e-3
    return (
        np.hypot(level.sum(), askew.sum()) / total,
        -level.sum() / total,
        np.hypot(right.sum(), half_right.sum()) / total,
    )


def _columns(lightness: np.ndarray) -> float:
    """Share of the variance of lightness that lies between columns."""
    means = cv2.reduce(lightness, 0, cv2.REDUCE_AVG)
    between, whole = (cv2.meanStdDev(values)[1][0, 0] ** 2 for values in (means, lightness))
    return between / (whole + 1)


def _ring_chroma(lab: np.ndarray) -> float:
    """Colourfulness of the outermost tenth."""
    depth = max(2, len(lab) // 10)
    strips = (lab[:depth], lab[-depth:], lab[depth:-depth, :depth], lab[depth:-depth, -depth:])
    return np.hypot(*median(np.concatenate([strip[..., 1:].reshape(-1, 2) for strip in strips])))


def _limb(limb: Limb) -> tuple[float, ...]:
    """Of what comes in over the border: median and nine tenths of the distances (a*, b*) from its median
    colour, and the share within _LIKE of it."""
    if not len(limb.colours):
        return 0, 0, 0
    distance = distances(limb.colours[:, 1:])
    return quantile(distance, 0.5), quantile(distance, 0.9), (distance < _LIKE).mean()
