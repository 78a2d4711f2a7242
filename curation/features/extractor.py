"""The feature vector of a picture: what EfficientNet-Lite0, trained on ImageNet, sees in it.

A picture is a batch of its own on one thread, so that its vector depends on nothing else.
"""

from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from curation.imaging.resize import halve_towards
from gemkit.arrays import Array, Bytes

#: Side in pixels of the square that the network sees.
SIDE = 224

#: A feature vector, or one of each image.
Features = npt.NDArray[np.float16]


def extract(pixels: Bytes, graph: Path) -> Features:
    """The features [FEATURE_LENGTH] of a picture [height, width, 3], RGB, by the graph of `graph_file`."""
    values = squared(pixels).astype(np.float32) / 127.5 - 1
    image = np.ascontiguousarray(values.transpose(2, 0, 1)[None])
    features: Array = _session(graph).run(None, {"image": image})[0][0]
    return features.astype(np.float16)


def squared(pixels: Bytes) -> Bytes:
    """The whole picture stretched to SIDE × SIDE: what enters over a border stays in."""
    smaller = halve_towards(pixels, SIDE)
    method = cv2.INTER_AREA if max(smaller.shape[:2]) > SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(smaller, (SIDE, SIDE), interpolation=method), np.uint8)


@cache
def _session(graph: Path) -> Any:
    """The network of this process, on the CPU: another device would round differently."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
