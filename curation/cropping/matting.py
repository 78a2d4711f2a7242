"""From any mask to the stone's: its pieces chosen, whole, exact at the edge, and its quality measured."""

from typing import Literal, NamedTuple

import cv2
import numpy as np

Stones = Literal["largest", "all"]

#: Stones cover 0.12 to 0.66 of a store photo. A background model finds something in every image: what is far
#: outside is no stone.
COVERAGE = (0.03, 0.9)
#: With all stones wanted, the least share of the largest piece that another has.
_OF_LARGEST = 0.25
#: The edge is looked for this far from the mask's, colours of stone and background this wide around it:
#: shares of the square root of the mask's area.
_BAND, _AROUND = 0.03, 0.06
#: Least difference (CIE Lab) of stone and background by which a pixel can be told to be either.
_CONTRAST = 8.0
#: Radius of what is too thin for a stone, a share of the same.
_LIMB = 0.07
#: Least depth, a share of the same, of an inlet that is filled.
_INLET = 0.1
#: Edges this many pixels apart are joined.
_GAP = 2
#: A contour is on an edge at most so many pixels away.
_NEAR = 1


class Refined(NamedTuple):
    """`mask`: how much of each pixel of the image is stone, uint8 (height, width), 255 all of it.

    `quality`: share of the contour that runs along an edge, 0 to 1.
    """

    mask: np.ndarray
    quality: float


def refine(
    image: np.ndarray, lab: np.ndarray, edges: np.ndarray, mask: np.ndarray, stones: Stones
) -> Refined | None:
    """The stone's mask in an RGB image, uint8, from a rough one, bool.

    `lab`: the image in float32 CIE Lab, as large as the rough mask and the edges, bool. None where the mask
    covers less or more of it than stones do.
    """
    whole = pieces(without_limbs(pieces(mask, stones)), stones)
    if not _covers(whole):
        return None
    soft = _matte(image, lab, whole)
    kept = pieces(soft >= 128, stones)
    soft[~grown(kept)] = 0
    soft[_shrunk(kept, 1)] = 255
    return Refined(soft, _quality(resized(soft, edges) >= 128, edges))


def resized(mask: np.ndarray, like: np.ndarray) -> np.ndarray:
    """A uint8 mask in the size of another picture."""
    return cv2.resize(mask, like.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def pieces(mask: np.ndarray, stones: Stones) -> np.ndarray:
    """The largest connected piece of a bool mask, or all of about its size, their holes filled."""
    filled = np.zeros(mask.shape, np.uint8)
    outlines = sorted(_outlines(mask), key=cv2.contourArea, reverse=True)
    if stones == "all" and outlines:
        least = _OF_LARGEST * cv2.contourArea(outlines[0])
        wanted = [outline for outline in outlines if cv2.contourArea(outline) >= least]
    else:
        wanted = outlines[:1]
    cv2.drawContours(filled, wanted, -1, 1, cv2.FILLED)
    return filled.astype(bool)


def outlined_by(edges: np.ndarray, stones: Stones) -> np.ndarray:
    """What edges enclose, bool: nothing where that is no stone's share of the picture."""
    joined = cv2.morphologyEx(edges.astype(np.uint8), cv2.MORPH_CLOSE, _disc(_GAP))
    whole = pieces(opened(pieces(joined.astype(bool), stones)), stones)
    return whole & _covers(whole)


def without_limbs(mask: np.ndarray) -> np.ndarray:
    """A bool mask without the thin pieces by which it reaches the picture's border: tweezers, a stand."""
    core = opened(mask, max(2, round(_LIMB * float(np.sqrt(mask.sum())))))
    count, thin = cv2.connectedComponents((mask & ~core).astype(np.uint8))
    outer = np.concatenate([thin[0], thin[-1], thin[:, 0], thin[:, -1]])
    is_limb = np.zeros(count, bool)
    is_limb[outer] = True
    is_limb[0] = False
    return mask & ~is_limb[thin]


def solidity(mask: np.ndarray) -> float:
    """Share of their convex hulls that the pieces of a bool mask fill; 0 without any."""
    outlines = _outlines(mask)
    hulls = sum(cv2.contourArea(cv2.convexHull(outline)) for outline in outlines)
    return sum(map(cv2.contourArea, outlines)) / hulls if hulls else 0.0


def opened(mask: np.ndarray, radius: int = 1) -> np.ndarray:
    """A bool mask without what is thinner than 2 × `radius` + 1 pixels."""
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, _disc(radius)).astype(bool)


def grown(mask: np.ndarray, radius: int = _NEAR) -> np.ndarray:
    """A bool mask, `radius` pixels wider on each side."""
    return cv2.dilate(mask.astype(np.uint8), _disc(radius)).astype(bool)


def without_inlets(mask: np.ndarray) -> np.ndarray:
    """A bool mask with what cuts into it deeper than wide filled: a facet of the background's colour."""
    filled = mask.astype(np.uint8)
    deep = _INLET * float(np.sqrt(mask.sum()))
    for outline in _outlines(mask):
        hull = cv2.convexHull(outline, returnPoints=False)
        defects = cv2.convexityDefects(outline, hull) if len(hull) > 3 else None
        for first, last, _, depth in [] if defects is None else defects.reshape(-1, 4):
            mouth = float(np.linalg.norm(outline[first, 0] - outline[last, 0]))
            if depth / 256 > max(mouth, deep):
                inlet = np.roll(outline, -first, axis=0)[: (last - first) % len(outline) + 1]
                cv2.drawContours(filled, [inlet], -1, 1, cv2.FILLED)
    return filled.astype(bool)


def _covers(mask: np.ndarray) -> bool:
    smallest, largest = COVERAGE
    return bool(smallest <= mask.mean() <= largest)


def _matte(image: np.ndarray, lab: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """How much of each pixel of an image is stone, uint8.

    Near the mask's edge a pixel's colour is taken as a mixture of the stone's and the background's near by.
    """
    side = float(np.sqrt(mask.sum()))
    band, around = max(2, round(_BAND * side)), max(3, round(_AROUND * side))
    stone, backdrop = _shrunk(mask, band), ~grown(mask, band)
    (height, width), (full_height, full_width) = mask.shape, image.shape[:2]
    near, soft = (
        cv2.resize(part.astype(np.uint8), (full_width, full_height), interpolation=cv2.INTER_NEAREST)
        for part in (~stone & ~backdrop, stone * 255)
    )
    places = np.flatnonzero(near.view(bool))
    rows, columns = np.divmod(places, full_width)
    in_mask = rows * height // full_height * width + columns * width // full_width
    colour = cv2.cvtColor(_pixels(image, places)[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    backdrop_colour = _pixels(_local_mean(lab, backdrop, around), in_mask)
    across = _pixels(_local_mean(lab, stone, around), in_mask) - backdrop_colour
    squared = _dot(across, across)
    share = _dot(colour - backdrop_colour, across) / np.maximum(squared, 1)
    share = np.where(squared > _CONTRAST**2, share, mask.reshape(-1)[in_mask])
    soft.reshape(-1)[places] = (share.clip(0, 1) * 255).round()
    return soft


def _pixels(image: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Colours [N, 3] at N places, counted row by row."""
    return image.reshape(-1, 3).take(places, axis=0)


def _dot(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", left, right)


def _quality(mask: np.ndarray, edges: np.ndarray) -> float:
    contour = mask & ~_shrunk(mask, 1)
    return float(grown(edges)[contour].mean()) if contour.any() else 0.0


def _outlines(mask: np.ndarray) -> list[np.ndarray]:
    """The outer contours of a bool mask's pieces."""
    return list(cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0])


def _local_mean(lab: np.ndarray, where: np.ndarray, reach: int) -> np.ndarray:
    """Mean colour of the pixels `where`, within `reach` of each pixel; 0 where there is none."""
    weight, window = cv2.merge([where.astype(np.float32)] * 3), (2 * reach + 1,) * 2
    return cv2.blur(lab * weight, window) / np.maximum(cv2.blur(weight, window), 1e-4)


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _shrunk(mask: np.ndarray, radius: int) -> np.ndarray:
    return cv2.erode(mask.astype(np.uint8), _disc(radius)).astype(bool)
