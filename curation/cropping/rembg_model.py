"""Run a background removal model of rembg."""

import os
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from curation.cropping.rembg_weights import fetch
from gemkit.arrays import Array


def soft_mask(image: Array, model: str) -> Array:
    """A rembg model's foreground confidence for each pixel of an RGB image, uint8: uint8 (height, width).

    The model stretches its output to the full range, so an image without a stone gets a mask too.
    """
    return np.asarray(session(model).predict(Image.fromarray(image))[0])


def provider(model: str) -> str | None:
    """The ONNX Runtime execution provider of the model in this process; None if it is not loaded yet."""
    return str(session(model).inner_session.get_providers()[0]) if session.cache_info().currsize else None


@cache
def session(model: str) -> Any:
    """The rembg session of this process: on CUDA if available, else on one thread."""
    weights = fetch(model)
    os.environ["U2NET_HOME"] = str(weights.parent)
    import onnxruntime
    import rembg

    options = onnxruntime.SessionOptions()  # one thread, since there is one process per core
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return rembg.new_session(model, sess_opts=options)
