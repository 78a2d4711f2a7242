"""Short names for NumPy array types, whose shapes docstrings give, and the form of an image."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def is_image(pixels: Array) -> bool:
    """Whether it is an image as the stages take it: uint8 [height, width, 3 or 4], not empty."""
    return pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] in (3, 4) and pixels.size > 0
