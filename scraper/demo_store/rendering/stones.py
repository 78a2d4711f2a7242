"""Product photos of cut stones: several angles of each, on a grey backdrop with a soft shadow."""

import colorsys

import cv2
import numpy as np

from scraper.demo_store.rendering.cuts import cut_stone
from scraper.demo_store.rendering.ray_tracing import Light, Stone, trace_rays
from scraper.demo_store.rendering.varieties import BY_NAME, Variety

_TRACED_SIDE = 160
#: Log luminance inside a stone: ranges of its mean and standard deviation.
_EXPOSURE = (-2.2, -0.9)
_CONTRAST = (0.45, 0.8)
_HAZE = (0.15, 0.5)


def make_stone(variety: Variety, rng: np.random.Generator) -> Stone:
    """A random stone of the variety: its cut, colour and inclusions."""
    shares = [colour.share for colour in variety.colours]
    colour = variety.colours[int(rng.choice(len(shares), p=shares))]
    names = list(variety.cuts)
    weights = np.array([variety.cuts[name] for name in names], float)
    cut = cut_stone(str(rng.choice(names, p=weights / weights.sum())), rng)
    hue = rng.uniform(*colour.hue) % 360 / 360
    full = np.array(
        colorsys.hsv_to_rgb(hue, rng.uniform(*colour.saturation), rng.uniform(0.75, 0.97)), np.float32
    )
    body = np.clip(full, 0.03, 0.98) ** np.float32(rng.uniform(*colour.depth))
    if cut.dome is not None:
        # Cabochons are cut deep; in a faceted stone, light passes through the body twice.
        body = body**2
    return Stone(
        cut,
        body.astype(np.float32),
        variety.refractive_index,
        variety.pattern(rng),
        rng.uniform(*variety.strength),
        variety.white,
        rng.uniform(*_HAZE),
    )


def light_tent(rng: np.random.Generator) -> Light:
    """A random light tent: ambient light, a few light boxes and a floor."""
    count = int(rng.integers(3, 6))
    boxes = np.stack(
        [
            rng.uniform(0, 2 * np.pi, count),
            rng.uniform(0.25, 0.9, count),
            rng.uniform(0.18, 0.45, count),
            rng.uniform(0.8, 2.4, count),
        ],
        1,
    )
    return Light(boxes.astype(np.float32), rng.uniform(0.2, 0.4), rng.uniform(0.15, 0.35), 0.03)


def rotation(spin: float, tilt: float, towards: float) -> np.ndarray:
    """The camera's axes in the stone's frame (3, 3) for a stone that is spun, then tilted `towards`."""

    def about_z(angle: float) -> np.ndarray:
        c, s = np.cos(angle), np.sin(angle)
        return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])

    c, s = np.cos(tilt), np.sin(tilt)
    about_x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    turn: np.ndarray = about_z(towards) @ about_x @ about_z(-towards) @ about_z(spin)
    return turn.astype(np.float32)


def photograph(variety_name: str, stone_seed: tuple[int, ...], view: int) -> np.ndarray:
    """Photo number `view` of a stone, uint8 RGB (height, width, 3)."""
    stone = make_stone(BY_NAME[variety_name], np.random.default_rng(stone_seed))
    rng = np.random.default_rng([*stone_seed, view])
    return compose(stone, rng, upright=view == 0)


def compose(stone: Stone, rng: np.random.Generator, upright: bool) -> np.ndarray:
    """A stone on a backdrop, seen nearly from above when `upright`."""
    width = int(np.clip(rng.gamma(5, 32) + 390, 400, 800))
    height = int(np.clip(width * rng.choice([1.0, 1.0, 1.0, 0.8, 1.15]), 400, 800))
    image = backdrop(width, height, rng)
    tilt = rng.uniform(0, 0.25) if upright else rng.uniform(0.1, 0.75)
    turn = rotation(rng.uniform(0, 2 * np.pi), tilt, rng.uniform(0, 2 * np.pi))
    side = int(min(width, height) * rng.uniform(0.55, 0.85))
    left = int((width - side) * rng.uniform(0.4, 0.6))
    top = int((height - side) * rng.uniform(0.4, 0.6))
    place_stone(image, stone, light_tent(rng), turn, left, top, side, rng)
    return finish(image, rng)


def backdrop(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """A grey paper sweep: linear float RGB (height, width, 3), lighter on one side, darker in the corners."""
    base, slope = rng.uniform(0.55, 0.92), rng.uniform(-0.18, 0.18, 2)
    y, x = np.mgrid[-0.5:0.5:40j, -0.5:0.5:40j]
    grey = base + slope[0] * x + slope[1] * y - rng.uniform(0, 0.5) * (x**2 + y**2)
    paper = np.clip(grey, 0.05, 1)[..., None] ** 2.2 * (1 + rng.normal(0, 0.012, 3))
    sweep: np.ndarray = cv2.resize(paper.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return sweep


def place_stone(
    image: np.ndarray,
    stone: Stone,
    light: Light,
    turn: np.ndarray,
    left: int,
    top: int,
    side: int,
    rng: np.random.Generator,
    finest: int = _TRACED_SIDE,
) -> None:
    """Draw the stone, its soft shadow and its coloured light on a linear image, in place.

    At most `finest`² rays are traced.
    """
    traced = min(finest, side)
    colour, cover = trace_rays(stone, light, turn, traced)
    # Rays that missed get the colour of their neighbours, which keeps the edge clean when enlarged.
    blurred, weight = cv2.blur(colour, (5, 5)), cv2.blur(cover, (5, 5))
    colour = np.where(cover[..., None] > 0, colour, blurred / np.maximum(weight, 1e-3)[..., None])
    colour = cv2.resize(colour, (side, side), interpolation=cv2.INTER_CUBIC)
    cover = cv2.resize(cv2.GaussianBlur(cover, (0, 0), 0.8), (side, side), interpolation=cv2.INTER_CUBIC)
    cover = np.clip((cover - 0.5) * 1.6 + 0.5, 0, 1)
    colour = _expose(np.maximum(colour, 0), cover, rng)
    area = image[top : top + side, left : left + side]
    _cast_shadow(image, cover, stone.body, left, top, rng)
    area += cover[..., None] * (colour - area)


def _expose(colour: np.ndarray, cover: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Apply exposure and contrast: the mean and deviation of log luminance vary with the photo.

    They depend on nothing else, so that neither reveals the variety.
    """
    weight = cover / cover.sum()
    luminance = cv2.transform(colour, np.array([[0.3, 0.55, 0.15]], np.float32)) + np.float32(0.01)
    light = np.log(luminance)
    mean = float((light * weight).sum())
    deviation = float(np.sqrt(((light - mean) ** 2 * weight).sum()))
    stretch = np.clip(rng.uniform(*_CONTRAST) / deviation, 0.5, 2.0)
    level = rng.uniform(*_EXPOSURE)
    exposed: np.ndarray = colour * np.exp(level - mean + (stretch - 1) * (light - mean))[..., None]
    return exposed


def _cast_shadow(
    image: np.ndarray, cover: np.ndarray, body: np.ndarray, left: int, top: int, rng: np.random.Generator
) -> None:
    height, width = image.shape[:2]
    small = np.zeros((height // 8 + 1, width // 8 + 1), np.float32)
    side = max(cover.shape[0] // 8, 1)
    shift = rng.uniform(-0.1, 0.1, 2) * side
    row, column = int(top // 8 + max(0, shift[1])), int(left // 8 + max(0, shift[0]))
    shape = cv2.resize(cover, (side, side), interpolation=cv2.INTER_AREA)
    fit = small[row : row + side, column : column + side]
    fit[:] = shape[: fit.shape[0], : fit.shape[1]]
    wide, near = cv2.GaussianBlur(small, (0, 0), side / 9), cv2.GaussianBlur(small, (0, 0), side / 28)
    shadow = 1 - rng.uniform(0.2, 0.5) * wide - rng.uniform(0.1, 0.3) * near
    tinted = shadow[..., None] * (1 - 0.2 * near[..., None] * (1 - body))
    image *= cv2.resize(tinted, (width, height))


def _develop() -> np.ndarray:
    linear = np.arange(_LEVELS, dtype=np.float32) * (_WHITEST / _LEVELS)
    tone = linear / (1 + np.maximum(linear - 0.8, 0))
    developed: np.ndarray = np.clip(tone, 0, 1) ** np.float32(1 / 2.2) * 255
    return developed


_LEVELS, _WHITEST = 8192, 3.0
_TONE = _develop()


def finish(linear: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Develop a linear image like a camera: white balance, tone curve and sensor noise; uint8 RGB."""
    linear = linear * (1 + rng.normal(0, 0.045, 3)).astype(np.float32)
    level = np.clip(linear * (_LEVELS / _WHITEST), 0, _LEVELS - 1).astype(np.uint16)
    grain = rng.normal(0, rng.uniform(1.0, 3.0), (256, 256, 3)).astype(np.float32)
    image = _TONE[level] + cv2.resize(grain, linear.shape[1::-1])
    return np.clip(image, 0, 255).astype(np.uint8)
