"""Where the stone is in an image: its mask, which ends on its Canny edges, and the box around it."""

from typing import Literal, NamedTuple

import cv2
import numpy as np

from curation.cropping.edges import bounding_box, canny_edges, rim
from curation.cropping.flood_fill import fit_backdrop, uniform_mask
from curation.cropping.matting import Refined, Stones, grown, outlined_by, refine, resized, solidity
from curation.cropping.rembg_model import soft_mask
from curation.imaging.border import inside_frame
from curation.imaging.resize import at_most

Removal = Literal["auto", "classical", "rembg"]

#: Longer side, in pixels, of what the stone is looked for in, and of what a background model sees. Only the
#: edge of its mask is drawn at the image's own resolution.
LOOK_SIDE, VIEW_SIDE = 160, 320
#: A background is uniform with at most this residual (Lab), and with at least this share of the rim in it.
_RESIDUAL, _UNIFORMITY = 3.0, 0.8
#: Most of the rim that a classical mask may cover, and the least of its convex hull.
_AT_RIM, _SOLIDITY = 0.05, 0.88
#: The box is around pixels of which at least this share is stone (of 255): blurred edges do not widen it.
_BOXED = 178
#: Least quality of a classical mask, and of a network's.
_TRUSTED, _ACCEPTED = 0.9, 0.3

Box = tuple[int, int, int, int]


class Stone(NamedTuple):
    """What was found in an image.

    `mask`: how much of each of its pixels is stone, uint8 (height, width), 255 all of it, or None; `edges`:
    the stone's, bool, of LOOK_SIDE at most; `box`: in its pixels; `method`: classical+canny, rembg+canny,
    canny or original; `quality`: share of the mask's contour that runs along edges, or None.
    """

    mask: np.ndarray | None
    edges: np.ndarray
    box: Box | None
    method: str
    quality: float | None


def find_stone(
    image: np.ndarray, removal: Removal = "auto", model: str = "u2netp", stones: Stones = "largest"
) -> Stone:
    """The stone of an RGB image, uint8, or all of them in one box.

    `removal`: how the mask is found: `classical`, by the background's colour, `rembg`, by the network
    `model`, or `auto`: classical where the background is uniform and the mask good, else by the network.
    Without a mask the box is around what edges enclose; without that either there is none.
    """
    look = at_most(image, LOOK_SIDE)
    lab = cv2.cvtColor(look.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    inside = inside_frame(lab)
    within = _scaled(inside, lab.shape, image.shape)
    framed, lab = image[within], np.ascontiguousarray(lab[inside])
    edges = canny_edges(lab)
    found = None
    if removal != "rembg":
        found, method = _classical(framed, lab, edges, stones), "classical+canny"
    if found is None and removal != "classical":
        found, method = _by_network(framed, lab, edges, model, stones), "rembg+canny"
    if found is None:
        method = "canny"
        outlined = resized(outlined_by(edges, stones).astype(np.uint8) * 255, framed)
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[within] = found.mask if found else outlined
    own_edges = np.zeros(look.shape[:2], bool)
    own_edges[inside] = edges & grown(resized(mask[within], edges) >= _BOXED)
    box = bounding_box(mask >= _BOXED)
    if box is None:
        return Stone(None, own_edges, None, "original", None)
    return Stone(mask if found else None, own_edges, box, method, found.quality if found else None)


def view_of(image: np.ndarray) -> np.ndarray:
    """The image as background models see it, no longer than VIEW_SIDE."""
    return at_most(image, VIEW_SIDE)


def _scaled(part: tuple[slice, slice], of: tuple[int, ...], to: tuple[int, ...]) -> tuple[slice, slice]:
    """The rows and columns of an image of shape `to` that a part has in one of shape `of`."""
    rows, columns = (
        slice(round(lines.start * full / seen), round(lines.stop * full / seen))
        for lines, seen, full in zip(part, of, to, strict=False)
    )
    return rows, columns


def _classical(image: np.ndarray, lab: np.ndarray, edges: np.ndarray, stones: Stones) -> Refined | None:
    backdrop = fit_backdrop(lab)
    if backdrop.residual > _RESIDUAL or backdrop.uniformity < _UNIFORMITY:
        return None
    rough = uniform_mask(backdrop, edges, stones)
    if rough[rim(rough.shape)].mean() > _AT_RIM or solidity(rough) < _SOLIDITY:
        return None
    found = refine(image, lab, edges, rough, stones)
    return found if found and found.quality >= _TRUSTED else None


def _by_network(
    image: np.ndarray, lab: np.ndarray, edges: np.ndarray, model: str, stones: Stones
) -> Refined | None:
    rough = resized(soft_mask(view_of(image), model), lab) >= 128
    found = refine(image, lab, edges, rough, stones)
    return found if found and found.quality >= _ACCEPTED else None
