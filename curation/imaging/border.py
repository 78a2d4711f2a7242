"""Find the part of an image inside the plain frame or the bars that some stores put around it."""

import cv2
import numpy as np

from gemkit.arrays import Array

#: Maximum width of a frame, as a share of the image's side.
_WIDEST = 0.12
#: Minimum share of a line that has the frame's colour inside a frame, and that differs where the frame ends.
_PLAIN, _CHANGED = 0.95, 0.75
#: Maximum difference (CIE Lab) within a frame, and minimum difference from it to the image inside.
_SAME, _STEP = 6.0, 8.0


def inside_frame(lab: Array) -> tuple[slice, slice]:
    """The rows and columns of a float32 Lab image inside its frame: all of them if it has none."""
    transposed = lab.transpose(1, 0, 2)
    top, bottom, left, right = (_width(lines) for lines in (lab, lab[::-1], transposed, transposed[::-1]))
    return slice(top, lab.shape[0] - bottom), slice(left, lab.shape[1] - right)


def _width(lines: Array) -> int:
    """How many of the first lines belong to the frame; `lines`: (count, length, 3)."""
    deepest = int(_WIDEST * len(lines))
    first = np.ascontiguousarray(lines[: deepest + 3])
    colour = np.partition(first[0], len(first[0]) // 2, axis=0)[len(first[0]) // 2].astype(float)
    plain = cv2.inRange(first, colour - _SAME, colour + _SAME).mean(axis=1) >= 255 * _PLAIN
    width = int(np.argmin(plain)) if not plain.all() else len(plain)
    if not 0 < width <= deepest:
        return 0
    # The next line may be half frame, half image.
    changed = 255 - cv2.inRange(first[width + 1 : width + 2], colour - _STEP, colour + _STEP)
    return width + 1 if changed.mean() >= 255 * _CHANGED else 0
