"""Polygons, lines, shadows and boxes, painted on a picture in linear light."""

import cv2
import numpy as np

Points = np.ndarray


def linear(colour: tuple[int, ...] | np.ndarray) -> np.ndarray:
    """An sRGB colour of 0 to 255, (3,), in linear light."""
    return ((np.asarray(colour, np.float32) / 255) ** np.float32(2.2)).astype(np.float32)


def pick(colours: tuple[tuple[int, int, int], ...], rng: np.random.Generator) -> np.ndarray:
    """About one of some sRGB colours, in linear light."""
    return linear(np.clip(np.array(colours[rng.integers(len(colours))]) + rng.normal(0, 8, 3), 8, 250))


def _mask(shape: tuple[int, ...], points: Points) -> np.ndarray:
    mask = np.zeros(shape[:2], np.float32)
    cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return mask


def grain(shape: tuple[int, ...], size: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise (height, width, 1) of mean 0, deviation about 1, `size` pixels coarse."""
    small = [max(2, int(side / size)) for side in shape[:2]]
    noise = rng.normal(0, 1, small).astype(np.float32)
    return cv2.resize(noise, shape[1::-1], interpolation=cv2.INTER_CUBIC)[..., None]


def fill(picture: np.ndarray, points: Points, colour: np.ndarray) -> None:
    """Paint a polygon, in place; `colour`: (3,) or a picture."""
    picture += _mask(picture.shape, points)[..., None] * (colour - picture)


def shadow(picture: np.ndarray, points: Points, depth: float, rng: np.random.Generator) -> None:
    """The soft shadow that a polygon throws, in place; it takes the share `depth` of the light."""
    height, width = picture.shape[:2]
    shifted = points + rng.uniform(-0.03, 0.03, 2) * width + (0, 0.02 * height)
    soft = cv2.GaussianBlur(_mask(picture.shape, shifted), (0, 0), width / 40)
    picture *= 1 - depth * soft[..., None]


def line(picture: np.ndarray, points: Points, colour: np.ndarray, thickness: float) -> None:
    """A stroke through the points, in place; `colour`: (3,) or a picture."""
    mask = np.zeros(picture.shape[:2], np.float32)
    place = np.round(points * 16).astype(np.int32)
    cv2.polylines(mask, [place], False, 1.0, max(1, round(thickness)), cv2.LINE_AA, 4)
    picture += mask[..., None] * (colour - picture)


def inset(points: Points, share: float) -> Points:
    """The polygon, smaller by a share."""
    return points.mean(0) + (points - points.mean(0)) * (1 - share)


class Cuboid:
    """A box seen from above: `floor`, `top` (4, 2) corners in order, and the two faces towards the camera."""

    def __init__(self, width: int, height: int, flatness: float, rng: np.random.Generator):
        half = np.array([rng.uniform(0.24, 0.32), rng.uniform(0.18, 0.27)]) * min(width, height)
        turn, tilt = rng.uniform(0.25, 1.2), rng.uniform(0.55, 1.0)
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        c, s = np.cos(turn), np.sin(turn)
        flat = corners @ np.array([[c, s], [-s, c]]) * [1, np.sin(tilt)]
        rise = np.array([0, flatness * half.mean() * 2 * np.cos(tilt)])
        self.floor = flat + np.array([width, height]) * (0.5, 0.55) + rise / 2
        self.top = self.floor - rise
        nearest = int(flat[:, 1].argmax())
        self.sides = [
            np.array([self.top[a], self.top[b], self.floor[b], self.floor[a]])
            for a, b in ((nearest - 1, nearest), (nearest, (nearest + 1) % 4))
        ]
        self.hull = cv2.convexHull(np.concatenate([self.floor, self.top]).astype(np.float32))[:, 0]

    def level(self, share: float) -> Points:
        """The line along both sides at a share of the height."""
        (a, b, c, d), (_, f, g, _) = self.sides
        return np.array([d + (a - d) * share, c + (b - c) * share, g + (f - g) * share])
