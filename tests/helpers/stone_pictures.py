"""Pictures of stones as stores show them, drawn, with the stones' place known."""

from itertools import pairwise

import cv2
import numpy as np

SIDE = 360
CENTRE, RADIUS = (200, 170), 90


def disc(radius: int = RADIUS, centre: tuple[int, int] = CENTRE) -> np.ndarray:
    """The pixels of the stone."""
    return cv2.circle(np.zeros((SIDE, SIDE), np.uint8), centre, radius, 1, -1).astype(bool)


def stone_picture(colour: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """A faceted stone of about this RGB colour on a grey gradient."""
    return draw_stone(grey_backdrop(), colour, seed=seed)


def grey_backdrop() -> np.ndarray:
    """Lighter at the top."""
    gradient = np.linspace(235, 195, SIDE)[:, None, None]
    return np.broadcast_to(gradient, (SIDE, SIDE, 3)).astype(np.uint8).copy()


def white_backdrop() -> np.ndarray:
    return np.full((SIDE, SIDE, 3), 255, np.uint8)


def draw_stone(
    picture: np.ndarray,
    colour: tuple[int, int, int],
    centre: tuple[int, int] = CENTRE,
    radius: int = RADIUS,
    shades: tuple[float, float] = (0.6, 1.4),
    seed: int = 0,
) -> np.ndarray:
    """The picture with a round stone on it, in sixteen facets of the colour times a random factor."""
    rng = np.random.default_rng(seed)
    picture = picture.copy()
    corners = [
        (centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle))
        for angle in np.linspace(0, 2 * np.pi, 17)
    ]
    for first, second in pairwise(corners):
        shade = np.clip(np.array(colour) * rng.uniform(*shades), 0, 255)
        cv2.fillPoly(picture, [np.array([centre, first, second], np.int32)], shade.tolist(), cv2.LINE_AA)
    return picture


def cast_shadow(picture: np.ndarray, depth: float = 0.45) -> np.ndarray:
    """The backdrop with the soft shadow of a stone that will lie at CENTRE, thrown down and to the right."""
    x, y = CENTRE
    blot = np.zeros((SIDE, SIDE), np.float32)
    cv2.ellipse(blot, (x + 25, y + RADIUS - 15), (RADIUS + 15, 50), 0, 0, 360, 1, -1)
    return (picture * (1 - depth * cv2.GaussianBlur(blot, (0, 0), 12))[..., None]).astype(np.uint8)


def mirror_below(picture: np.ndarray, strength: float = 0.35) -> np.ndarray:
    """The picture as if the stone stood on glass: mirrored below its lowest row, weaker and fading."""
    floor = CENTRE[1] + RADIUS
    below = SIDE - floor
    fade = (strength * np.linspace(1, 0.3, below))[:, None, None]
    mixed = picture.astype(np.float32)
    mixed[floor:] = mixed[floor:] * (1 - fade) + mixed[floor - below : floor][::-1] * fade
    return mixed.astype(np.uint8)


def add_texture(picture: np.ndarray, strength: float, seed: int = 0) -> np.ndarray:
    """The picture with the grain of cloth over it."""
    grain = np.random.default_rng(seed).normal(0, 1, (SIDE, SIDE, 1)).astype(np.float32)
    cloth = cv2.GaussianBlur(grain, (0, 0), 1.2)
    return (picture + cloth[..., None] * (strength / cloth.std())).clip(0, 255).astype(np.uint8)


def add_watermark(picture: np.ndarray) -> np.ndarray:
    """The picture with half transparent letters across it, stone and backdrop."""
    marked = picture.copy()
    for row in (90, 300):
        cv2.putText(
            marked, "GEMS STORE", (10, row), cv2.FONT_HERSHEY_SIMPLEX, 1.7, (120, 120, 120), 3, cv2.LINE_AA
        )
    return cv2.addWeighted(picture, 0.6, marked, 0.4, 0)


def add_frame(picture: np.ndarray, width: int = 9) -> np.ndarray:
    """The picture within a dark frame."""
    return cv2.copyMakeBorder(
        picture[width:-width, width:-width], *[width] * 4, cv2.BORDER_CONSTANT, value=(40, 30, 30)
    )
