"""Pictures of one stone on a grey gradient, with the stone's place known."""

from itertools import pairwise

import cv2
import numpy as np

SIDE = 360
CENTRE, RADIUS = (200, 170), 90


def disc(radius: int = RADIUS) -> np.ndarray:
    """The pixels of the stone."""
    return cv2.circle(np.zeros((SIDE, SIDE), np.uint8), CENTRE, radius, 1, -1).astype(bool)


def stone_picture(colour: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """A faceted stone of about this RGB colour."""
    rng = np.random.default_rng(seed)
    gradient = np.linspace(235, 195, SIDE)[:, None, None]
    picture = np.broadcast_to(gradient, (SIDE, SIDE, 3)).astype(np.uint8).copy()
    corners = [
        (CENTRE[0] + RADIUS * np.cos(angle), CENTRE[1] + RADIUS * np.sin(angle))
        for angle in np.linspace(0, 2 * np.pi, 17)
    ]
    for first, second in pairwise(corners):
        shade = np.clip(np.array(colour) * rng.uniform(0.6, 1.4), 0, 255)
        cv2.fillPoly(picture, [np.array([CENTRE, first, second], np.int32)], shade.tolist(), cv2.LINE_AA)
    return picture
