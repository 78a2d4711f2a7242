"""Where the stone is in an image: its mask, its edges and the box around both."""

from typing import NamedTuple

import cv2
import numpy as np

from curation.background import stone_mask
from curation.canny import bounding_box, canny_edges

#: The stone is looked for in a view of at most this side: finer than the model sees, quick for large photos.
VIEW_SIDE = 640
#: Edges within a box smaller than this share of the image's longer side are a speck, not a stone.
SPECK = 0.1

Box = tuple[int, int, int, int]


class Stone(NamedTuple):
    """What was found in an image: `mask` and `edges` bool, at the view's size; `box` in source pixels."""

    mask: np.ndarray | None
    edges: np.ndarray
    box: Box | None
    method: str


def find_stone(image: np.ndarray, model: str) -> Stone:
    """Mask, Canny edges on it and the box around both; edges alone without a mask; nothing without edges."""
    height, width = image.shape[:2]
    scale = min(1.0, VIEW_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    view = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    mask = stone_mask(view, model)
    edges = canny_edges(view if mask is None else on_black(view, mask))
    box = bounding_box(edges if mask is None else edges | mask)
    if mask is not None:
        method = "mask+canny" if edges.any() else "mask"
    elif box is not None and max(box[2] - box[0], box[3] - box[1]) >= SPECK * max(size):
        method = "canny"
    else:
        return Stone(None, edges, None, "original")
    assert box is not None
    left, right = (round(x * width / size[0]) for x in box[0::2])
    top, bottom = (round(y * height / size[1]) for y in box[1::2])
    return Stone(mask, edges, (left, top, right, bottom), method)


def on_black(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The image where the mask, bool and of the view's size, is true; black elsewhere."""
    height, width = image.shape[:2]
    full = cv2.resize(mask.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where((full >= 128)[..., None], image, np.uint8(0))
