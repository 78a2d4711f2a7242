"""Inclusions: the pattern that a loupe shows inside each variety, in the plane of the stone.

A pattern is float32 (SIDE, SIDE) and covers [-1.2, 1.2]² of the stone's plane. Its values, about -1 to 1, are
how much lighter (positive) or darker (negative) the stone is there.
"""

from collections.abc import Callable

import cv2
import numpy as np

SIDE = 320

Pattern = Callable[[np.random.Generator], np.ndarray]


def _empty() -> np.ndarray:
    return np.zeros((SIDE, SIDE), np.float32)


def _noise(rng: np.random.Generator, cells: int) -> np.ndarray:
    """Smooth noise, about -1 to 1, with `cells` features per side."""
    coarse = rng.normal(0, 0.6, (cells + 3, cells + 3)).astype(np.float32)
    return cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def _plane(angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along and across a direction, -1.2 to 1.2."""
    axis = np.linspace(-1.2, 1.2, SIDE, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _streaks(
    rng: np.random.Generator,
    count: int,
    angles: np.ndarray,
    half: tuple[float, float],
    levels: tuple[float, ...],
) -> np.ndarray:
    """Fine straight streaks in any of the directions; `half`: range of half lengths, in sides."""
    pattern = _empty()
    for _ in range(count):
        x, y = rng.uniform(0.04, 0.96, 2) * SIDE
        angle, reach = rng.choice(angles), rng.uniform(*half) * SIDE
        dx, dy = reach * np.cos(angle), reach * np.sin(angle)
        start, end = (int(x - dx), int(y - dy)), (int(x + dx), int(y + dy))
        cv2.line(pattern, start, end, float(rng.choice(levels)), int(rng.integers(4, 7)), cv2.LINE_AA)
    return cv2.GaussianBlur(pattern, (0, 0), 0.8)


def silk(rng: np.random.Generator) -> np.ndarray:
    """Ruby: rutile needles in three directions at 60°, in clouds."""
    angles = rng.uniform(0, np.pi) + np.arange(3) * np.pi / 3
    return _streaks(rng, 75, angles, (0.08, 0.2), (1.0, 0.8, 0.6)) * np.clip(0.9 + _noise(rng, 3), 0.4, 1.0)


def octahedra(rng: np.random.Generator) -> np.ndarray:
    """Red spinel: small dark octahedra strung along curved rows."""
    pattern = _empty()
    for _ in range(13):
        x, y = rng.uniform(0.1, 0.9, 2) * SIDE
        angle, bend = rng.uniform(0, 2 * np.pi), rng.uniform(-0.15, 0.15)
        for _ in range(int(rng.integers(5, 10))):
            size = rng.uniform(6.5, 9.5)
            corners = np.array([[x, y - size], [x + size, y], [x, y + size], [x - size, y]])
            cv2.fillPoly(pattern, [corners.round().astype(np.int32)], -1.0, cv2.LINE_AA)
            cv2.circle(pattern, (int(x - 2), int(y - 2)), 2, 0.5, -1, cv2.LINE_AA)
            x, y, angle = x + 25 * np.cos(angle), y + 25 * np.sin(angle), angle + bend
    return cv2.GaussianBlur(pattern, (0, 0), 0.8)


def zoning(rng: np.random.Generator) -> np.ndarray:
    """Sapphire: straight, broad bands of paler and deeper colour."""
    _, across = _plane(rng.uniform(0, np.pi))
    edges = np.cumsum(rng.uniform(0.1, 0.26, 24)) - 1.8
    levels = np.where(np.arange(25) % 2, 1.0, -1.0) * rng.uniform(0.6, 1.0, 25)
    bands = levels[np.searchsorted(edges, across)].astype(np.float32)
    return cv2.GaussianBlur(bands, (0, 0), 3.0)


def jardin(rng: np.random.Generator) -> np.ndarray:
    """Emerald: a garden of wispy, branching veils."""
    pattern = _empty()
    for _ in range(28):
        x, y = rng.uniform(0.05, 0.95, 2) * SIDE
        angle, level = rng.uniform(0, 2 * np.pi), rng.choice([1.0, 0.8, -0.8])
        points = []
        for _ in range(int(rng.integers(10, 24))):
            points.append((int(x), int(y)))
            angle += rng.normal(0, 0.6)
            x, y = x + 9 * np.cos(angle), y + 9 * np.sin(angle)
        thickness = int(rng.integers(4, 9))
        cv2.polylines(pattern, [np.array(points, np.int32)], False, level, thickness, cv2.LINE_AA)
    veils = np.clip(_noise(rng, 7), 0, 1) * 0.5
    veiled: np.ndarray = cv2.GaussianBlur(pattern, (0, 0), 2.0) + veils
    return veiled


def rain(rng: np.random.Generator) -> np.ndarray:
    """Aquamarine: fine hollow tubes, all parallel."""
    return _streaks(rng, 52, rng.uniform(0, np.pi, 1), (0.08, 0.3), (1.0, 0.9, -0.8))


def clean(rng: np.random.Generator) -> np.ndarray:
    """Blue topaz: nothing."""
    return _empty()


def lily_pads(rng: np.random.Generator) -> np.ndarray:
    """Peridot: round decrepitation halos around tiny crystals."""
    pattern = _empty()
    for _ in range(18):
        x, y = rng.uniform(0.1, 0.9, 2) * SIDE
        centre, axes = (int(x), int(y)), (int(rng.uniform(20, 38)), int(rng.uniform(16, 30)))
        tilt = rng.uniform(0, 180)
        disc = _empty()
        cv2.ellipse(disc, centre, axes, tilt, 0, 360, 0.3, -1, cv2.LINE_AA)
        cv2.ellipse(disc, centre, axes, tilt, 0, 360, 1.0, 6, cv2.LINE_AA)
        cv2.circle(disc, centre, 6, -1.0, -1, cv2.LINE_AA)
        pattern = np.where(disc != 0, disc, pattern)
    return cv2.GaussianBlur(pattern, (0, 0), 1.0)


def chevrons(rng: np.random.Generator) -> np.ndarray:
    """Amethyst: colour zones nested in angles."""
    along, across = _plane(rng.uniform(0, 2 * np.pi))
    ramp = along + np.abs(across - rng.uniform(-0.3, 0.3)) * np.tan(np.radians(rng.uniform(34, 46)))
    zones = np.sign(np.sin(ramp * (2 * np.pi / rng.uniform(0.36, 0.52)) + rng.uniform(0, 6)))
    soft: np.ndarray = cv2.GaussianBlur(zones.astype(np.float32), (0, 0), 3.0) * 0.9
    return soft


def crystals(rng: np.random.Generator) -> np.ndarray:
    """Almandine garnet: rounded guest crystals and bubbles with a bright glint."""
    pattern = _empty()
    for _ in range(40):
        x, y = rng.uniform(0.08, 0.92, 2) * SIDE
        size = rng.uniform(8, 18)
        cv2.circle(pattern, (int(x), int(y)), int(size), 0.9, -1, cv2.LINE_AA)
        cv2.circle(pattern, (int(x), int(y)), int(size), -0.7, 3, cv2.LINE_AA)
        glint = (int(x - size / 3), int(y - size / 3))
        cv2.circle(pattern, glint, max(3, int(size / 3)), 1.4, -1, cv2.LINE_AA)
    return cv2.GaussianBlur(pattern, (0, 0), 0.8)
