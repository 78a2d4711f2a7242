"""The part of a picture within the plain frame or the bars that some stores put around it."""

import cv2
import numpy as np

#: A frame is at most this share of the picture's side wide.
_WIDEST = 0.12
#: Share of a line that is of one colour in a frame, and that changes where the frame ends.
_PLAIN, _CHANGED = 0.95, 0.75
#: Differences (CIE Lab) within a frame, and from it to what it frames.
_SAME, _STEP = 6.0, 8.0


def inside_frame(lab: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of a float32 Lab picture within its frame: all of them where it has none."""
    turned = lab.transpose(1, 0, 2)
    top, bottom, left, right = (_width(lines) for lines in (lab, lab[::-1], turned, turned[::-1]))
    return slice(top, lab.shape[0] - bottom), slice(left, lab.shape[1] - right)


def _width(lines: np.ndarray) -> int:
    """How many of the first lines are frame; lines are (count, length, 3)."""
    deepest = int(_WIDEST * len(lines))
    first = np.ascontiguousarray(lines[: deepest + 3])
    colour = np.partition(first[0], len(first[0]) // 2, axis=0)[len(first[0]) // 2].astype(float)
    plain = cv2.inRange(first, colour - _SAME, colour + _SAME).mean(axis=1) >= 255 * _PLAIN
    width = int(np.argmin(plain)) if not plain.all() else len(plain)
    if not 0 < width <= deepest:
        return 0
    # The next line may be half frame, half picture.
    changed = 255 - cv2.inRange(first[width + 1 : width + 2], colour - _STEP, colour + _STEP)
    return width + 1 if changed.mean() >= 255 * _CHANGED else 0
