"""Traits of a picture that tell what kind of thing it shows (`kinds.py`): a stone, several, a hand, no stone.

All on a picture of about 64 pixels. Nothing here decides anything: each trait is a plain number.
"""

import cv2
import numpy as np

from curation.regions import LIMB_SHARE, Background, far_pixels, limb_pixels, longest_at_border

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
#: Distance (Lab) from a limb's median colour within which a pixel is like it.
_LIKE = 5.0
#: Deviation of the hull's outline, in pixels, that still counts as straight.
_STRAIGHT = 1.2


def picture_traits(lab: np.ndarray, background: Background) -> list[float]:
    """The traits, in order of NAMES. `lab`: height × width × 3, float32, CIE Lab."""
    across = cv2.Sobel(lab, cv2.CV_32F, 1, 0, scale=0.125)
    down = cv2.Sobel(lab, cv2.CV_32F, 0, 1, scale=0.125)
    gradient = np.sqrt(np.einsum("ijk,ijk->ij", across, across) + np.einsum("ijk,ijk->ij", down, down))
    far = far_pixels(background)
    pieces = cv2.morphologyEx(far, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(pieces, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=cv2.contourArea, default=None)
    region = np.zeros_like(far)
    if largest is not None and cv2.contourArea(largest) > 4:
        cv2.drawContours(region, [largest], -1, 1, -1)
    else:
        largest = None
    return [
        float(value)
        for value in (
            far.mean(),
            *_pieces(pieces),
            far[region > 0].mean() if region.any() else 0,
            *_outline(largest),
            _centre(background.distance).mean(),
            *_border(limb_pixels(background)),
            *_surface(lab[..., 0], gradient, region),
            *_directions(across[..., 0], down[..., 0]),
            _columns(lab[..., 0]),
            _ring_chroma(lab),
            *_limb(lab, limb_pixels(background)),
        )
    ]


def _pieces(pieces: np.ndarray) -> tuple[int, int]:
    count, _, stats, _ = cv2.connectedComponentsWithStats(pieces)
    return count - 1, int((stats[1:, cv2.CC_STAT_AREA] > _LARGE * pieces.size).sum())


def _outline(contour: np.ndarray | None) -> tuple[float, ...]:
    """Roundness (1 for a circle), corners of the convex hull, and shares of its outline: that of its two
    longest sides and of the fifth and sixth; boxes seen askew have six."""
    if contour is None:
        return 0, 0, 0, 0
    roundness = 4 * np.pi * cv2.contourArea(contour) / cv2.arcLength(contour, True) ** 2
    corners = cv2.approxPolyDP(cv2.convexHull(contour), _STRAIGHT, True)[:, 0].astype(float)
    sides = np.sort(np.linalg.norm(np.roll(corners, -1, 0) - corners, axis=1))[::-1]
    around = max(1.0, sides.sum())
    return roundness, len(corners), sides[:6].sum() / around, sides[4:6].sum() / around


def _border(limbs: np.ndarray) -> list[float]:
    """Share of each side of the picture that something comes in over: the largest two."""
    sides = (limbs[0].mean(), limbs[-1].mean(), limbs[:, 0].mean(), limbs[:, -1].mean())
    return sorted(sides, reverse=True)[:2]


def _surface(lightness: np.ndarray, gradient: np.ndarray, region: np.ndarray) -> tuple[float, ...]:
    """Flatness and gradient inside the largest piece, gradient outside, and how grainy its shading is."""
    core = cv2.erode(region, np.ones((3, 3), np.uint8)) > 0
    if core.sum() < 12:
        core = region > 0
    outside = cv2.dilate(region, np.ones((5, 5), np.uint8)) == 0
    beyond = gradient[outside].mean() if outside.any() else 0
    if core.sum() < 12:
        return 0, 0, 0, beyond, 0
    inside = gradient[core]
    grain = np.abs(cv2.Laplacian(lightness, cv2.CV_32F))[core].mean() / (lightness[core].std() + 1)
    return (inside < _FLAT).mean(), (inside < _NEARLY_FLAT).mean(), inside.mean(), beyond, grain


def _directions(across: np.ndarray, down: np.ndarray) -> tuple[float, ...]:
    """How far gradients of lightness have one direction, are upright or level, meet at right angles."""
    gradient = across + 1j * down
    size = np.abs(gradient)
    total = size.sum() + 1e-3
    twice = gradient * gradient / (size + 1e-6)
    quadruple = twice * twice / (size + 1e-6)
    return abs(twice.sum()) / total, -twice.real.sum() / total, abs(quadruple.sum()) / total


def _columns(lightness: np.ndarray) -> float:
    """Share of the variance of lightness that lies between columns."""
    return lightness.mean(axis=0).var() / (lightness.var() + 1)


def _ring_chroma(lab: np.ndarray) -> float:
    """Colourfulness of the outermost tenth."""
    depth = max(2, len(lab) // 10)
    ring = np.ones(lab.shape[:2], bool)
    ring[depth:-depth, depth:-depth] = False
    return np.hypot(*np.median(lab[ring][:, 1:], axis=0))


def _limb(lab: np.ndarray, limbs: np.ndarray) -> tuple[float, ...]:
    """Of what comes in over the border: median and nine tenths of the distances (a*, b*) from its median
    colour, and the share within _LIKE of it."""
    found = longest_at_border(limbs, LIMB_SHARE)
    if found is None:
        return 0, 0, 0
    colours = lab[found[0]]
    distance = np.linalg.norm((colours - np.median(colours, axis=0))[:, 1:], axis=1)
    return np.median(distance), np.quantile(distance, 0.9), (distance < _LIKE).mean()


def _centre(values: np.ndarray) -> np.ndarray:
    height, width = values.shape
    return values[height // 4 : height - height // 4, width // 4 : width - width // 4]
