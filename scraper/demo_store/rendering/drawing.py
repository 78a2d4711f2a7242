"""Draw polygons, lines, shadows and boxes on an image in linear light."""

import cv2
import numpy as np

Points = np.ndarray


def linear(colour: tuple[int, ...] | np.ndarray) -> np.ndarray:
    """Convert an sRGB colour, (3,) from 0 to 255, to linear light."""
    return ((np.asarray(colour, np.float32) / 255) ** np.float32(2.2)).astype(np.float32)


def pick(colours: tuple[tuple[int, int, int], ...], rng: np.random.Generator) -> np.ndarray:
    """One of the sRGB colours, slightly varied, in linear light."""
    return linear(np.clip(np.array(colours[rng.integers(len(colours))]) + rng.normal(0, 8, 3), 8, 250))


def _mask(shape: tuple[int, ...], points: Points) -> np.ndarray:
    mask = np.zeros(shape[:2], np.float32)
    cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return mask


def grain(shape: tuple[int, ...], size: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise (height, width, 1) with mean 0, deviation about 1 and a grain of `size` pixels."""
    small = [max(2, int(side / size)) for side in shape[:2]]
    noise = rng.normal(0, 1, small).astype(np.float32)
    return cv2.resize(noise, shape[1::-1], interpolation=cv2.INTER_CUBIC)[..., None]


def fill(image: np.ndarray, points: Points, colour: np.ndarray) -> None:
    """Fill a polygon, in place; `colour`: (3,) or an image."""
    image += _mask(image.shape, points)[..., None] * (colour - image)


def shadow(image: np.ndarray, points: Points, depth: float, rng: np.random.Generator) -> None:
    """Draw the soft shadow of a polygon, in place; it removes the share `depth` of the light."""
    height, width = image.shape[:2]
    shifted = points + rng.uniform(-0.03, 0.03, 2) * width + (0, 0.02 * height)
    soft = cv2.GaussianBlur(_mask(image.shape, shifted), (0, 0), width / 40)
    image *= 1 - depth * soft[..., None]


def line(image: np.ndarray, points: Points, colour: np.ndarray, thickness: float) -> None:
    """Draw a stroke through the points, in place; `colour`: (3,) or an image."""
    mask = np.zeros(image.shape[:2], np.float32)
    place = np.round(points * 16).astype(np.int32)
    cv2.polylines(mask, [place], False, 1.0, max(1, round(thickness)), cv2.LINE_AA, 4)
    image += mask[..., None] * (colour - image)


def inset(points: Points, share: float) -> Points:
    """The polygon, shrunk by a share."""
    shrunk: np.ndarray = points.mean(0) + (points - points.mean(0)) * (1 - share)
    return shrunk


class Cuboid:
    """A box seen from above: `floor` and `top`, (4, 2) ordered corners, and the two faces near the camera."""

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
        self.faces = [
            np.array([self.top[a], self.top[b], self.floor[b], self.floor[a]])
            for a, b in ((nearest - 1, nearest), (nearest, (nearest + 1) % 4))
        ]
        self.hull = cv2.convexHull(np.concatenate([self.floor, self.top]).astype(np.float32))[:, 0]

    def level(self, share: float) -> Points:
        """The line along both faces at a share of the height."""
        (a, b, c, d), (_, f, g, _) = self.faces
        return np.array([d + (a - d) * share, c + (b - c) * share, g + (f - g) * share])
