"""Drawn images of stones as stores show them, with a known position of the stone."""

from itertools import pairwise

import cv2
import numpy as np

SIDE = 360
CENTRE, RADIUS = (200, 170), 90
#: The bounding box of the stone.
TRUE_BOX = (CENTRE[0] - RADIUS, CENTRE[1] - RADIUS, CENTRE[0] + RADIUS + 1, CENTRE[1] + RADIUS + 1)
COLOURS = {"ruby": (180, 20, 50), "sapphire": (30, 80, 190), "emerald": (20, 140, 60)}


def iou(left: tuple[float, ...], right: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    width = min(left[2], right[2]) - max(left[0], right[0])
    height = min(left[3], right[3]) - max(left[1], right[1])
    both = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (left, right)]
    return both / (sum(areas) - both)


def disc(radius: int = RADIUS, centre: tuple[int, int] = CENTRE) -> np.ndarray:
    """The pixels of the stone, bool."""
    return cv2.circle(np.zeros((SIDE, SIDE), np.uint8), centre, radius, 1, -1).astype(bool)


def stone_image(colour: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """A faceted stone of about this RGB colour on a grey gradient."""
    return draw_stone(grey_backdrop(), colour, seed=seed)


def grey_backdrop() -> np.ndarray:
    """A grey gradient, lighter at the top."""
    gradient = np.linspace(235, 195, SIDE)[:, None, None]
    return np.broadcast_to(gradient, (SIDE, SIDE, 3)).astype(np.uint8).copy()


def white_backdrop() -> np.ndarray:
    return np.full((SIDE, SIDE, 3), 255, np.uint8)


def draw_stone(
    image: np.ndarray,
    colour: tuple[int, int, int],
    centre: tuple[int, int] = CENTRE,
    radius: int = RADIUS,
    shades: tuple[float, float] = (0.6, 1.4),
    seed: int = 0,
) -> np.ndarray:
    """The image with a round stone on it: sixteen facets, each of the colour times a random factor."""
    rng = np.random.default_rng(seed)
    image = image.copy()
    corners = [
        (centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle))
        for angle in np.linspace(0, 2 * np.pi, 17)
    ]
    for first, second in pairwise(corners):
        shade = np.clip(np.array(colour) * rng.uniform(*shades), 0, 255)
        cv2.fillPoly(image, [np.array([centre, first, second], np.int32)], shade.tolist(), cv2.LINE_AA)
    return image


def cast_shadow(image: np.ndarray, depth: float = 0.45) -> np.ndarray:
    """The backdrop with the soft shadow of a stone at CENTRE, cast down and to the right."""
    x, y = CENTRE
    blot = np.zeros((SIDE, SIDE), np.float32)
    cv2.ellipse(blot, (x + 25, y + RADIUS - 15), (RADIUS + 15, 50), 0, 0, 360, 1, -1)
    return (image * (1 - depth * cv2.GaussianBlur(blot, (0, 0), 12))[..., None]).astype(np.uint8)


def mirror_below(image: np.ndarray, strength: float = 0.35) -> np.ndarray:
    """The image as if the stone were on glass: mirrored below its lowest row, weaker and fading."""
    floor = CENTRE[1] + RADIUS
    below = SIDE - floor
    fade = (strength * np.linspace(1, 0.3, below))[:, None, None]
    mixed = image.astype(np.float32)
    mixed[floor:] = mixed[floor:] * (1 - fade) + mixed[floor - below : floor][::-1] * fade
    return mixed.astype(np.uint8)


def add_texture(image: np.ndarray, strength: float, seed: int = 0) -> np.ndarray:
    """The image with a cloth texture over it."""
    grain = np.random.default_rng(seed).normal(0, 1, (SIDE, SIDE, 1)).astype(np.float32)
    cloth = cv2.GaussianBlur(grain, (0, 0), 1.2)
    return (image + cloth[..., None] * (strength / cloth.std())).clip(0, 255).astype(np.uint8)


def add_watermark(image: np.ndarray) -> np.ndarray:
    """The image with semi-transparent letters across stone and backdrop."""
    marked = image.copy()
    for row in (90, 300):
        cv2.putText(
            marked, "GEMS STORE", (10, row), cv2.FONT_HERSHEY_SIMPLEX, 1.7, (120, 120, 120), 3, cv2.LINE_AA
        )
    return cv2.addWeighted(image, 0.6, marked, 0.4, 0)


def add_frame(image: np.ndarray, width: int = 9) -> np.ndarray:
    """The image inside a dark frame."""
    return cv2.copyMakeBorder(
        image[width:-width, width:-width], *[width] * 4, cv2.BORDER_CONSTANT, value=(40, 30, 30)
    )
