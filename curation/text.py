"""Where an image carries printed text: the detector of rapidocr alone (its wheel carries the model)."""

import functools
from typing import Any

import cv2
import numpy as np


def text_boxes(pixels: np.ndarray, side: int) -> tuple[int, float]:
    """Number of text boxes and the share of the image under them.

    `pixels`: height × width × 3, uint8, RGB; its longer side is brought to at most `side` pixels first.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    found = _detector(side)(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
    if found.boxes is None:
        return 0, 0.0
    area = sum(cv2.contourArea(np.asarray(box, np.float32)) for box in found.boxes)
    return len(found.boxes), min(1.0, area / (size[0] * size[1]))


@functools.cache
def _detector(side: int) -> Any:
    from rapidocr import RapidOCR

    return functools.partial(
        RapidOCR(
            params={
                "Global.log_level": "error",
                "Det.limit_type": "max",
                "Det.limit_side_len": side,
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        ),
        use_det=True,
        use_cls=False,
        use_rec=False,
    )
