"""Where the stone is in an image: its mask, which ends on its Canny edges, and the box around it."""

from typing import Literal, NamedTuple

import cv2
import numpy as np

from curation.background import soft_mask
from curation.canny import bounding_box, canny_edges, rim
from curation.frame import inside_frame
from curation.refine import Refined, Stones, grown, outlined_by, refine, solidity
from curation.uniform import fit_backdrop, uniform_mask

Removal = Literal["auto", "classical", "rembg"]

#: The stone is looked for in a view of at most this side, which is what the background models see.
VIEW_SIDE = 320
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

    `mask`: how much of each pixel of the view is stone, uint8 (height, width), 255 all of it, or None;
    `edges`: the stone's, bool, of the view's size; `box`: in source pixels; `method`: classical+canny,
    rembg+canny, canny or original; `quality`: share of the mask's contour that runs along edges, or None.
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
    view = view_of(image)
    height, width = image.shape[:2]
    size = view.shape[1], view.shape[0]
    lab = cv2.cvtColor(view.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    inside = inside_frame(lab)
    view, lab = np.ascontiguousarray(view[inside]), np.ascontiguousarray(lab[inside])
    edges = canny_edges(lab)
    found = None
    if removal != "rembg":
        found, method = _classical(lab, edges, stones), "classical+canny"
    if found is None and removal != "classical":
        found, method = _by_network(view, lab, edges, model, stones), "rembg+canny"
    if found is None:
        method = "canny"
    outlined = outlined_by(edges, stones) if found is None else found.mask >= _BOXED
    own_edges = _framed(edges & grown(outlined), inside, size)
    box = bounding_box(_framed(outlined, inside, size))
    if box is None:
        return Stone(None, own_edges, None, "original", None)
    left, right = (round(x * width / size[0]) for x in box[0::2])
    top, bottom = (round(y * height / size[1]) for y in box[1::2])
    mask, quality = (None, None) if found is None else (_framed(found.mask, inside, size), found.quality)
    return Stone(mask, own_edges, (left, top, right, bottom), method, quality)


def view_of(image: np.ndarray) -> np.ndarray:
    """The image, no longer than VIEW_SIDE: what it is looked at by."""
    height, width = image.shape[:2]
    scale = min(1.0, VIEW_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _framed(pixels: np.ndarray, inside: tuple[slice, slice], size: tuple[int, int]) -> np.ndarray:
    """The pixels that lie within the frame, in a picture of zeros of (width, height)."""
    framed = np.zeros(size[::-1], pixels.dtype)
    framed[inside] = pixels
    return framed


def _classical(lab: np.ndarray, edges: np.ndarray, stones: Stones) -> Refined | None:
    backdrop = fit_backdrop(lab)
    if backdrop.residual > _RESIDUAL or backdrop.uniformity < _UNIFORMITY:
        return None
    rough = uniform_mask(backdrop, edges, stones)
    if rough[rim(rough.shape)].mean() > _AT_RIM or solidity(rough) < _SOLIDITY:
        return None
    found = refine(lab, edges, rough, stones)
    return found if found and found.quality >= _TRUSTED else None


def _by_network(
    view: np.ndarray, lab: np.ndarray, edges: np.ndarray, model: str, stones: Stones
) -> Refined | None:
    found = refine(lab, edges, soft_mask(view, model) >= 128, stones)
    return found if found and found.quality >= _ACCEPTED else None
