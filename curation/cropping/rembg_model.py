"""What a background model sees: how surely each pixel is foreground."""

import os
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from curation.cropping.rembg_weights import fetch


def soft_mask(image: np.ndarray, model: str) -> np.ndarray:
    """How surely each pixel of an RGB image, uint8, is foreground: uint8 (height, width), by a rembg model.

    The model stretches its output to the full range: a picture without a stone gets a mask too.
    """
    return np.asarray(session(model).predict(Image.fromarray(image))[0])


def provider(model: str) -> str | None:
    """The execution provider of ONNX Runtime that runs a model here; None before it was needed."""
    return str(session(model).inner_session.get_providers()[0]) if session.cache_info().currsize else None


@cache
def session(model: str) -> Any:
    """The rembg session of this process: on CUDA where it can, else in one thread of a process a core."""
    weights = fetch(model)
    os.environ["U2NET_HOME"] = str(weights.parent)
    import onnxruntime
    import rembg

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return rembg.new_session(model, sess_opts=options)
