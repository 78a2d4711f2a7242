"""Canny edges of a stone and the boxes drawn around them."""

import cv2
import numpy as np


def canny_edges(image: np.ndarray) -> np.ndarray:
    """Edges (Canny 1986) of an RGB image, bool (height, width); Otsu's grey level is the upper threshold."""
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (5, 5), 0)
    high, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return cv2.Canny(grey, high / 2, high).astype(bool)


def bounding_box(pixels: np.ndarray) -> tuple[int, int, int, int] | None:
    """[left, top, right, bottom] around the true pixels of a bool image, right and bottom exclusive."""
    columns, rows = np.flatnonzero(pixels.any(axis=0)), np.flatnonzero(pixels.any(axis=1))
    if not columns.size:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
