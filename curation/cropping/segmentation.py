"""Find the stone in an image: its mask, aligned with its Canny edges, and its bounding box."""

from typing import Literal, NamedTuple

import cv2
import numpy as np

from curation.cropping.edges import border_mask, bounding_box, canny_edges
from curation.cropping.flood_fill import fit_surface, flood_fill_mask
from curation.cropping.matting import Refined, Stones, dilated, enclosed_by, refine, resized, solidity
from curation.cropping.rembg_model import soft_mask
from curation.imaging.border import inside_frame
from curation.imaging.resize import shrink_to
from gemkit.arrays import Array, Bools, Bytes

Removal = Literal["auto", "classical", "rembg"]
Method = Literal["classical+canny", "rembg+canny", "canny", "original"]

#: Longer side, in pixels, of the image in which the stone is searched, and of the background model's input.
#: Only the edge of the mask is refined at the image's own resolution.
SEARCH_SIDE, MODEL_SIDE = 160, 320
#: A uniform background has at most this residual (Lab), and at least this share of the border in its colour.
_RESIDUAL, _UNIFORMITY = 3.0, 0.8
#: Maximum share of the border that a classical mask covers, and its minimum solidity.
_AT_BORDER, _SOLIDITY = 0.05, 0.88
#: Minimum alpha (of 255) of a pixel inside the box, so that blurred edges do not widen it.
_BOXED = 178
#: Minimum quality of a classical mask, and of a network's mask.
_TRUSTED, _ACCEPTED = 0.9, 0.3

Box = tuple[int, int, int, int]


class Stone(NamedTuple):
    """A stone found in an image.

    `mask`: alpha of the stone in each pixel of the image, uint8 (height, width), or None; `edges`: the
    stone's edges, bool, at a size of at most SEARCH_SIDE; `box`: in pixels of the image, or None; `method`:
    how it was found, `original` if it was not; `quality`: share of the mask's contour that runs along edges,
    or None.
    """

    mask: Bytes | None
    edges: Bools
    box: Box | None
    method: Method
    quality: float | None


#: An image without a stone.
NO_STONE = Stone(None, np.zeros((1, 1), bool), None, "original", None)


def find_stone(
    image: Bytes, removal: Removal = "auto", model: str = "u2netp", stones: Stones = "largest"
) -> Stone:
    """Find the stone of an RGB image, uint8, or all stones in one box.

    `removal`: how the mask is found: `classical`, by the background's colour; `rembg`, by the network
    `model`; `auto`, classical if the background is uniform and the mask good, else by the network. Without a
    mask the box encloses the area inside edges; without that either, the box is None.
    """
    small = shrink_to(image, SEARCH_SIDE)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    inside = inside_frame(lab)
    within = _scaled(inside, lab.shape, image.shape)
    framed, lab = image[within], np.ascontiguousarray(lab[inside])
    edges = canny_edges(lab)
    found, method = None, NO_STONE.method
    if removal != "rembg":
        found, method = _classical(framed, lab, edges, stones), "classical+canny"
    if found is None and removal != "classical":
        found, method = _by_network(framed, lab, edges, model, stones), "rembg+canny"
    if found is None:
        method = "canny"
        enclosed = resized(enclosed_by(edges, stones).astype(np.uint8) * 255, framed)
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[within] = found.mask if found else enclosed
    own_edges = np.zeros(small.shape[:2], bool)
    own_edges[inside] = edges & dilated(resized(mask[within], edges) >= _BOXED)
    box = bounding_box(mask >= _BOXED)
    if box is None:
        return NO_STONE._replace(edges=own_edges)
    return Stone(mask if found else None, own_edges, box, method, found.quality if found else None)


def shrink_for_model(image: Bytes) -> Bytes:
    """The image shrunk to the size of a background model's input."""
    return shrink_to(image, MODEL_SIDE)


def _scaled(part: tuple[slice, slice], of: tuple[int, ...], to: tuple[int, ...]) -> tuple[slice, slice]:
    """Scale the rows and columns of a part of an image of shape `of` to an image of shape `to`."""
    rows, columns = (
        slice(round(lines.start * full / seen), round(lines.stop * full / seen))
        for lines, seen, full in zip(part, of, to, strict=False)
    )
    return rows, columns


def _classical(image: Bytes, lab: Array, edges: Bools, stones: Stones) -> Refined | None:
    background = fit_surface(lab)
    if background.residual > _RESIDUAL or background.uniformity < _UNIFORMITY:
        return None
    rough = flood_fill_mask(background, edges, stones)
    if rough[border_mask(rough.shape)].mean() > _AT_BORDER or solidity(rough) < _SOLIDITY:
        return None
    found = refine(image, lab, edges, rough, stones)
    return found if found and found.quality >= _TRUSTED else None


def _by_network(image: Bytes, lab: Array, edges: Bools, model: str, stones: Stones) -> Refined | None:
    rough = resized(soft_mask(shrink_for_model(image), model), lab) >= 128
    found = refine(image, lab, edges, rough, stones)
    return found if found and found.quality >= _ACCEPTED else None
