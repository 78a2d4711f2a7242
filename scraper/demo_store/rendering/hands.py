"""A stone held in a hand: bare, from light to dark skin, or gloved."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from scraper.demo_store.rendering.ray_tracing import Stone
from scraper.demo_store.rendering.stones import backdrop, finish, light_tent, place_stone, rotation

#: sRGB of skin, from light to dark.
_SKIN = (
    (241, 210, 188),
    (229, 184, 152),
    (208, 156, 122),
    (178, 124, 90),
    (137, 90, 62),
    (98, 62, 44),
    (70, 45, 35),
)

#: sRGB of gloves, and the strength of their highlights.
_GLOVES = (
    ((238, 238, 232), 0.0),
    ((224, 224, 222), 0.0),
    ((26, 26, 28), 0.5),
    ((40, 40, 46), 0.35),
    ((44, 92, 168), 0.35),
    ((96, 140, 200), 0.3),
    ((58, 74, 140), 0.4),
)


@dataclass(frozen=True)
class _Surface:
    """Surface of a hand: linear colour and strength of the highlights; `bare`: skin."""

    colour: np.ndarray
    gloss: float = 0.0
    bare: bool = True


def held(stone: Stone, rng: np.random.Generator) -> np.ndarray:
    """The stone on fingers or a palm, uint8 RGB (height, width, 3)."""
    return _hold(stone, _skin, rng)


def gloved(stone: Stone, rng: np.random.Generator) -> np.ndarray:
    """The stone in a hand with a glove of white cotton, or of black or blue nitrile."""
    return _hold(stone, _glove, rng)


def _skin(rng: np.random.Generator) -> _Surface:
    tone = np.array(_SKIN[rng.integers(len(_SKIN))]) + rng.normal(0, 6) + rng.normal(0, 2.5, 3)
    return _Surface(np.clip(tone / 255, 0.03, 1).astype(np.float32) ** 2.2)


def _glove(rng: np.random.Generator) -> _Surface:
    tone, gloss = _GLOVES[rng.integers(len(_GLOVES))]
    shade = np.array(tone) * rng.uniform(0.9, 1.05) + rng.normal(0, 4, 3)
    return _Surface(np.clip(shade / 255, 0.03, 1).astype(np.float32) ** 2.2, gloss, bare=False)


def _hold(
    stone: Stone, draw_surface: Callable[[np.random.Generator], _Surface], rng: np.random.Generator
) -> np.ndarray:
    width, height = (int(value) for value in rng.integers(420, 700, 2))
    # Skin is smooth, so it is drawn at half the size, in a quarter of the time.
    image = backdrop(width // 2, height // 2, rng)
    surface = draw_surface(rng)
    pose = rng.choice(["fingers", "pinch", "palm"], p=[0.5, 0.25, 0.25])
    if pose == "palm":
        x, y = _palm(image, surface, rng)
    elif pose == "pinch":
        x, y = _pinch(image, surface, rng)
    else:
        x, y = _fingers(image, surface, rng)
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    x, y = 2 * x, 2 * y
    side = int(min(width, height) * rng.uniform(0.26, 0.42))
    left, top = int(np.clip(x - side / 2, 0, width - side)), int(np.clip(y - side / 2, 0, height - side))
    turn = rotation(rng.uniform(0, 6.3), rng.uniform(0, 0.4), rng.uniform(0, 6.3))
    place_stone(image, stone, light_tent(rng), turn, left, top, side, rng)
    return finish(image, rng)


def _finger(
    image: np.ndarray,
    surface: _Surface,
    start: np.ndarray,
    end: np.ndarray,
    radius: float,
    rng: np.random.Generator,
) -> None:
    """Draw a finger: a rounded cylinder from `start` to its tip `end`, shaded, with creases at the joints."""
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    axis = end - start
    length = float(np.linalg.norm(axis))
    axis = axis / length
    along = (x - start[0]) * axis[0] + (y - start[1]) * axis[1]
    across = (y - start[1]) * axis[0] - (x - start[0]) * axis[1]
    bulge = radius * (1 + 0.07 * np.cos(along / length * 9) - 0.12 * np.clip(along / length, 0, 1))
    beyond = np.maximum(along - length, 0)
    reach = np.hypot(across, beyond) / bulge
    cover = np.clip((1 - reach) * radius / 2.5 + 0.5, 0, 1)[..., None]
    round_off = np.sqrt(np.clip(1 - reach**2, 0, 1))
    shade = (0.42 + 0.58 * round_off + 0.1 * across / bulge)[..., None]
    colour = surface.colour * shade
    if surface.bare:
        flush = np.clip(along / length - 0.75, 0, 0.3)[..., None]
        colour = colour * (1 + flush * np.array([0.35, -0.3, -0.25], np.float32))
    for joint in (0.38, 0.68):
        for _ in range(3):
            place = (joint + rng.normal(0, 0.015)) * length + 0.06 * across**2 / radius
            crease = np.exp(-(((along - place) / 1.8) ** 2)) * rng.uniform(0.1, 0.25)
            colour = colour * (1 - crease[..., None])
    if surface.gloss:
        streak = np.exp(-(((across / bulge - 0.3) / 0.16) ** 2)) * (0.6 + 0.4 * np.cos(along / length * 23))
        colour = colour + 0.4 * surface.gloss * streak[..., None]
    shadow = np.clip(1 - (reach - 1) * 2.2, 0, 1)[..., None] * 0.4
    image *= 1 - shadow * (1 - cover)
    image += cover * (colour - image)


def _texture(image: np.ndarray, before: np.ndarray, surface: _Surface, rng: np.random.Generator) -> None:
    """Add fine texture where the image changed; a glove has no blotches."""
    height, width = image.shape[:2]
    grain = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 1.6) * 0.12
    blotch = cv2.resize(
        rng.normal(0, 0.05, (9, 9)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    changed = (np.abs(image - before).sum(2) > 0.02)[..., None]
    image *= 1 + changed * (grain + (blotch if surface.bare else 0))[..., None]


def _fingers(image: np.ndarray, surface: _Surface, rng: np.random.Generator) -> tuple[float, float]:
    height, width = image.shape[:2]
    before = image.copy()
    radius = min(width, height) * rng.uniform(0.11, 0.15)
    count, lean = int(rng.integers(2, 5)), rng.uniform(-0.5, 0.5)
    right = np.array([np.cos(lean), np.sin(lean)])
    up = np.array([right[1], -right[0]])
    root = np.array([width / 2, height * 1.1])
    tips = []
    for index in range(count):
        offset = (index - (count - 1) / 2) * radius * 1.95
        length = height * (rng.uniform(0.72, 0.8) - 0.05 * abs(index - (count - 1) / 2))
        start = root + right * offset
        tips.append(start + up * length)
        _finger(image, surface, start, tips[-1], radius, rng)
    _texture(image, before, surface, rng)
    middle = np.mean(tips, axis=0) - up * radius * rng.uniform(0.6, 1.6)
    return float(middle[0]), float(middle[1])


def _pinch(image: np.ndarray, surface: _Surface, rng: np.random.Generator) -> tuple[float, float]:
    height, width = image.shape[:2]
    before = image.copy()
    radius = min(width, height) * rng.uniform(0.12, 0.16)
    middle = np.array([width * rng.uniform(0.42, 0.58), height * rng.uniform(0.4, 0.5)])
    reach = radius * np.array([rng.uniform(1.35, 1.55), -0.3])
    _finger(image, surface, np.array([-0.15 * width, height * 1.05]), middle - reach, radius, rng)
    _finger(image, surface, np.array([1.1 * width, height * 1.1]), middle + reach, radius, rng)
    _texture(image, before, surface, rng)
    return float(middle[0]), float(middle[1])


def _palm(image: np.ndarray, surface: _Surface, rng: np.random.Generator) -> tuple[float, float]:
    height, width = image.shape[:2]
    before = image.copy()
    for start, end in (((1.1, 1.1), (0.62, 0.2)), ((0.5, 1.3), (0.45, 0.3)), ((0.0, 1.2), (0.3, 0.35))):
        _finger(
            image, surface, np.array(start) * (width, height), np.array(end) * (width, height),
            min(width, height) * rng.uniform(0.28, 0.34), rng,
        )  # fmt: skip
    size = (width, height)
    for _ in range(3):
        points = np.cumsum(rng.uniform(0.04, 0.12, (7, 2)), 0) * size + rng.uniform(0.1, 0.3, 2) * size
        mask = np.zeros((height, width), np.float32)
        cv2.polylines(mask, [points.astype(np.int32)], False, 1.0, 3, cv2.LINE_AA)
        image *= 1 - 0.3 * cv2.GaussianBlur(mask, (0, 0), 2.0)[..., None]
    _texture(image, before, surface, rng)
    return width * rng.uniform(0.42, 0.58), height * rng.uniform(0.5, 0.6)
