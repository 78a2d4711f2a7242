"""Refine a rough mask to the stone's: select components, fill holes, sharpen the edge, measure quality."""

from typing import Literal, NamedTuple

import cv2
import numpy as np

from gemkit.arrays import Array

Stones = Literal["largest", "all"]

#: Reject masks outside this coverage range. Stones cover 0.12 to 0.66 of a store's image, but a background
#: model finds something in every image.
COVERAGE = (0.03, 0.9)
#: Minimum area of another stone as a share of the largest component, if all stones are wanted.
_OF_LARGEST = 0.25
#: How far from the mask's edge the stone's edge is searched, and how far around it the colours of stone and
#: background are averaged: shares of the square root of the mask's area.
_BAND, _AROUND = 0.03, 0.06
#: Minimum difference (CIE Lab) between stone and background for a pixel to be assigned by its colour.
_CONTRAST = 8.0
#: Radius below which a protrusion is too thin for a stone, as a share of the same.
_PROTRUSION = 0.07
#: Minimum depth of a concavity that is filled, as a share of the same.
_CONCAVITY = 0.1
#: Gap between edges that is closed, pixels.
_GAP = 2
#: Maximum distance between a contour and an edge for the contour to run along it, pixels.
_NEAR = 1


class Refined(NamedTuple):
    """`mask`: alpha of the stone in each pixel of the image, uint8 (height, width).

    `quality`: share of the contour that runs along an edge, 0 to 1.
    """

    mask: Array
    quality: float


def refine(image: Array, lab: Array, edges: Array, mask: Array, stones: Stones) -> Refined | None:
    """Refine a rough mask, bool, to the stone's mask in an RGB image, uint8.

    `lab`: the image in float32 CIE Lab, of the same size as the rough mask and the edges, bool. None if the
    mask covers less or more of it than stones do.
    """
    whole = components(without_protrusions(components(mask, stones)), stones)
    if not _covers(whole):
        return None
    soft = _alpha_matte(image, lab, whole)
    kept = components(soft >= 128, stones)
    soft[~dilated(kept)] = 0
    soft[_eroded(kept, 1)] = 255
    return Refined(soft, _quality(resized(soft, edges) >= 128, edges))


def resized(mask: Array, like: Array) -> Array:
    """A uint8 mask resized to the size of another image."""
    return cv2.resize(mask, like.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def components(mask: Array, stones: Stones) -> Array:
    """The largest connected component of a bool mask, or all of similar size, with their holes filled."""
    filled = np.zeros(mask.shape, np.uint8)
    contours = sorted(_contours(mask), key=cv2.contourArea, reverse=True)
    if stones == "all" and contours:
        least = _OF_LARGEST * cv2.contourArea(contours[0])
        wanted = [contour for contour in contours if cv2.contourArea(contour) >= least]
    else:
        wanted = contours[:1]
    cv2.drawContours(filled, wanted, -1, 1, cv2.FILLED)
    return filled.astype(bool)


def enclosed_by(edges: Array, stones: Stones) -> Array:
    """The area enclosed by edges, bool; empty if its coverage is not a stone's."""
    joined = cv2.morphologyEx(edges.astype(np.uint8), cv2.MORPH_CLOSE, _disc(_GAP))
    whole = components(opened(components(joined.astype(bool), stones)), stones)
    return whole & _covers(whole)


def without_protrusions(mask: Array) -> Array:
    """A bool mask without its thin parts that reach the image's border, such as tweezers or a stand."""
    core = opened(mask, max(2, round(_PROTRUSION * float(np.sqrt(mask.sum())))))
    count, thin = cv2.connectedComponents((mask & ~core).astype(np.uint8))
    outer = np.concatenate([thin[0], thin[-1], thin[:, 0], thin[:, -1]])
    is_protrusion = np.zeros(count, bool)
    is_protrusion[outer] = True
    is_protrusion[0] = False
    rest: Array = mask & ~is_protrusion[thin]
    return rest


def solidity(mask: Array) -> float:
    """Share of their convex hulls that the components of a bool mask fill; 0 if it is empty."""
    contours = _contours(mask)
    hulls = sum(cv2.contourArea(cv2.convexHull(contour)) for contour in contours)
    return sum(map(cv2.contourArea, contours)) / hulls if hulls else 0.0


def opened(mask: Array, radius: int = 1) -> Array:
    """A bool mask without parts thinner than 2 × `radius` + 1 pixels."""
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, _disc(radius)).astype(bool)


def dilated(mask: Array, radius: int = _NEAR) -> Array:
    """A bool mask dilated by `radius` pixels."""
    return cv2.dilate(mask.astype(np.uint8), _disc(radius)).astype(bool)


def fill_concavities(mask: Array) -> Array:
    """A bool mask with concavities deeper than wide filled, such as a facet of the background's colour."""
    filled = mask.astype(np.uint8)
    deep = _CONCAVITY * float(np.sqrt(mask.sum()))
    for contour in _contours(mask):
        hull = cv2.convexHull(contour, returnPoints=False)
        defects = cv2.convexityDefects(contour, hull) if len(hull) > 3 else None
        for first, last, _, depth in [] if defects is None else defects.reshape(-1, 4):
            mouth = float(np.linalg.norm(contour[first, 0] - contour[last, 0]))
            if depth / 256 > max(mouth, deep):
                concavity = np.roll(contour, -first, axis=0)[: (last - first) % len(contour) + 1]
                cv2.drawContours(filled, [concavity], -1, 1, cv2.FILLED)
    return filled.astype(bool)


def _covers(mask: Array) -> bool:
    smallest, largest = COVERAGE
    return bool(smallest <= mask.mean() <= largest)


def _alpha_matte(image: Array, lab: Array, mask: Array) -> Array:
    """Alpha of the stone in each pixel of an image, uint8.

    Near the mask's edge a pixel's colour is treated as a mixture of the nearby stone and background colours.
    """
    side = float(np.sqrt(mask.sum()))
    band, around = max(2, round(_BAND * side)), max(3, round(_AROUND * side))
    stone, background = _eroded(mask, band), ~dilated(mask, band)
    (height, width), (full_height, full_width) = mask.shape, image.shape[:2]
    near, soft = (
        cv2.resize(part.astype(np.uint8), (full_width, full_height), interpolation=cv2.INTER_NEAREST)
        for part in (~stone & ~background, stone * 255)
    )
    places = np.flatnonzero(near.view(bool))
    rows, columns = np.divmod(places, full_width)
    in_mask = rows * height // full_height * width + columns * width // full_width
    colour = cv2.cvtColor(_pixels(image, places)[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    background_colour = _pixels(_local_mean(lab, background, around), in_mask)
    across = _pixels(_local_mean(lab, stone, around), in_mask) - background_colour
    squared = _dot(across, across)
    share = _dot(colour - background_colour, across) / np.maximum(squared, 1)
    share = np.where(squared > _CONTRAST**2, share, mask.reshape(-1)[in_mask])
    soft.reshape(-1)[places] = (share.clip(0, 1) * 255).round()
    return soft


def _pixels(image: Array, places: Array) -> Array:
    """Colours [N, 3] at N flat pixel indices."""
    return image.reshape(-1, 3).take(places, axis=0)


def _dot(left: Array, right: Array) -> Array:
    dot: Array = np.einsum("ij,ij->i", left, right)
    return dot


def _quality(mask: Array, edges: Array) -> float:
    contour = mask & ~_eroded(mask, 1)
    return float(dilated(edges)[contour].mean()) if contour.any() else 0.0


def _contours(mask: Array) -> list[Array]:
    """The outer contours of a bool mask's components."""
    return list(cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0])


def _local_mean(lab: Array, where: Array, reach: int) -> Array:
    """Mean colour of the pixels `where` within `reach` of each pixel; 0 if there are none."""
    weight, window = cv2.merge([where.astype(np.float32)] * 3), (2 * reach + 1,) * 2
    return cv2.blur(lab * weight, window) / np.maximum(cv2.blur(weight, window), 1e-4)


def _disc(radius: int) -> Array:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _eroded(mask: Array, radius: int) -> Array:
    return cv2.erode(mask.astype(np.uint8), _disc(radius)).astype(bool)
