"""Where the stone is: the mask of a background model, cleaned and checked."""

import os
from functools import cache
from typing import Any

import cv2
import numpy as np
from PIL import Image

from curation.weights import fetch

#: Stones cover 0.12 to 0.66 of a store photo. The model stretches its output to the full range, so that an
#: image without a stone gets a mask too: one far outside is none.
COVERAGE = (0.03, 0.9)


def stone_mask(image: np.ndarray, model: str) -> np.ndarray | None:
    """The stone's pixels of an RGB image: bool (height, width), one piece without holes.

    None when what the rembg model `model` finds is too small or too large for a stone.
    """
    mask = solid(soft_mask(image, model) >= 128)
    smallest, largest = COVERAGE
    return mask if smallest <= mask.mean() <= largest else None


def soft_mask(image: np.ndarray, model: str) -> np.ndarray:
    """How surely each pixel of an RGB image, uint8, is foreground: uint8 (height, width), by a rembg model.

    The model stretches its output to the full range: a picture without a stone gets a mask too.
    """
    return np.asarray(_session(model).predict(Image.fromarray(image))[0])


def solid(mask: np.ndarray) -> np.ndarray:
    """The largest connected piece of a mask, bool (height, width), its holes filled (a stone is no ring)."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    if outlines:
        cv2.drawContours(filled, [max(outlines, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return filled.astype(bool)


@cache
def _session(model: str) -> Any:
    """The rembg session of this process, on one thread: a process a core is faster than threads."""
    weights = fetch(model)
    os.environ["U2NET_HOME"] = str(weights.parent)
    import onnxruntime
    import rembg

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return rembg.new_session(model, sess_opts=options)
