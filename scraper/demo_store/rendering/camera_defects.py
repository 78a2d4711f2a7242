"""Defective photos: blank, out of focus, badly exposed, or with a watermark."""

import cv2
import numpy as np
from PIL import Image, ImageDraw

from scraper.demo_store.rendering.certificates import font
from scraper.demo_store.rendering.stones import backdrop, finish

_SHOPS = (
    "GEM DEMO", "Royal Gems", "Stone & Star", "THE GEM HOUSE", "Crown Jewels Ltd", "Lapis Trading Co",
    "Sri Ganesh Gems", "Edelsteinhandel", "Gemporium", "FINE STONES",
)  # fmt: skip
_ADDRESSES = (
    "www.gemdemo.test", "www.royalgems.test", "gemhouse.test", "shop.finestones.test", "© lapis-trading.test",
    "WWW.GEMPORIUM.TEST",
)  # fmt: skip
_LETTERS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSans-Oblique",
    "STIXGeneralBolIta",
)
_INKS = ((255, 255, 255), (255, 255, 255), (20, 20, 20), (70, 70, 70), (240, 205, 110))


def blank(rng: np.random.Generator) -> np.ndarray:
    """An empty image, uint8 RGB (height, width, 3): one colour, a soft gradient or an empty backdrop."""
    width, height = (int(side) for side in rng.integers(300, 800, 2))
    look = rng.choice(
        ["white", "black", "grey", "tint", "gradient", "backdrop"], p=[0.3, 0.1, 0.2, 0.1, 0.2, 0.1]
    )
    if look == "backdrop":
        return finish(backdrop(width, height, rng), rng)
    if look == "white":
        colour = 255 - rng.integers(0, 9) - rng.integers(0, 3, 3)
    elif look == "black":
        colour = rng.integers(0, 14) + rng.integers(0, 4, 3)
    elif look == "tint":
        colour = rng.integers(90, 246, 3)
    else:
        colour = rng.integers(60, 246) + rng.integers(-4, 5, 3)
    image = np.broadcast_to(colour.astype(np.float32), (height, width, 3))
    if look == "gradient":
        across, down = rng.uniform(-20, 20, 2)
        y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j].astype(np.float32)
        image = image + (across * x + down * y)[..., None]
    if rng.random() < 0.7:
        image = image + rng.normal(0, rng.uniform(0.5, 4), image.shape).astype(np.float32)
    return np.clip(image, 0, 255).astype(np.uint8)


def blurred(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The photo, so out of focus or blurred by motion that no facet is visible."""
    side = min(photo.shape[:2])
    # A camera blurs the light, not the developed image, so its noise stays sharp.
    light = (photo.astype(np.float32) / 255) ** 2.2
    is_shaken = rng.random() < 0.4
    if is_shaken:
        light = _filtered(light, _shake(int(side * rng.uniform(0.2, 0.36)), rng))
    radius = int(side * (rng.uniform(0.025, 0.04) if is_shaken else rng.uniform(0.055, 0.13)))
    light = _filtered(light, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2))
    return _noisy(light ** (1 / 2.2) * 255, rng.uniform(0.5, 3), rng)


def _filtered(light: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    weights = kernel.astype(np.float32) / kernel.sum()
    return cv2.filter2D(light, -1, weights, borderType=cv2.BORDER_REFLECT)


def _shake(length: int, rng: np.random.Generator) -> np.ndarray:
    """Motion blur kernel of a shaken camera: a bent stroke."""
    kernel = np.zeros((length, length), np.float32)
    angle, bend = rng.uniform(0, np.pi), rng.uniform(-0.25, 0.25)
    along = np.linspace(-0.5, 0.5, 24)
    aside = bend * (along**2 * 4 - 0.5)
    x = along * np.cos(angle) - aside * np.sin(angle)
    y = along * np.sin(angle) + aside * np.cos(angle)
    points = ((np.stack([x, y], 1) * 0.9 + 0.5) * length).astype(np.int32)
    cv2.polylines(kernel, [points], False, 1.0, max(2, length // 12), cv2.LINE_AA)
    return kernel


def dark(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The photo, so under-exposed that noise hides the stone."""
    light = (photo.astype(np.float32) / 255) ** 2.2 * np.exp(rng.uniform(np.log(0.001), np.log(0.014)))
    return _noisy(light ** (1 / 2.2) * 255, rng.uniform(1, 5), rng)


def bright(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The photo, so over-exposed that the stone is washed out, with lens flare."""
    light = (photo.astype(np.float32) / 255) ** 2.2 * rng.uniform(6, 18) + rng.uniform(0.15, 0.4)
    return _noisy(np.minimum(light, 1) ** (1 / 2.2) * 255, rng.uniform(0, 2), rng)


def _noisy(image: np.ndarray, grain: float, rng: np.random.Generator) -> np.ndarray:
    noise = rng.normal(0, grain, (256, 256, 3)).astype(np.float32)
    return np.clip(image + cv2.resize(noise, image.shape[1::-1]), 0, 255).astype(np.uint8)


def watermarked(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The photo with a shop's name or address over the stone, once or tiled."""
    height, width = photo.shape[:2]
    lines = [str(rng.choice(_SHOPS if rng.random() < 0.5 else _ADDRESSES))]
    if rng.random() < 0.25:
        lines = [str(rng.choice(_SHOPS)), str(rng.choice(_ADDRESSES))]
    tiled = rng.random() < 0.25
    angle = float(rng.choice([0, rng.uniform(15, 45), rng.uniform(-45, -15)], p=[0.45, 0.4, 0.15]))
    reach = rng.uniform(0.3, 0.45) if tiled else rng.uniform(0.62, 0.95)
    letters = _lettering(lines, str(rng.choice(_LETTERS)), int(width * reach))
    side = int(np.hypot(width, height)) + 2
    sheet = Image.new("L", (side, side))
    if tiled:
        step_x, step_y = int(letters.width * 1.35), int(letters.height * rng.uniform(2.2, 4))
        for row, top in enumerate(range(0, side, step_y)):
            for left in range(-(row % 2) * step_x // 2, side, step_x):
                sheet.paste(letters, (left, top))
    else:
        down = rng.uniform(-0.12, 0.12) * height
        sheet.paste(letters, ((side - letters.width) // 2, int((side - letters.height) / 2 + down)))
    turned = sheet.rotate(angle, Image.Resampling.BICUBIC)
    left, top = (side - width) // 2, (side - height) // 2
    mask = np.asarray(turned.crop((left, top, left + width, top + height)), np.float32)[..., None] / 255
    image, ink = photo.astype(np.float32), _legible_ink(photo, rng)
    if rng.random() < 0.5:
        shadow = cv2.GaussianBlur(np.roll(mask, (2, 2), (0, 1)), (0, 0), 1.5)[..., None]
        image = image * (1 - 0.5 * shadow)
    image += rng.uniform(0.45, 0.95) * mask * (ink - image)
    return np.clip(image, 0, 255).astype(np.uint8)


def _legible_ink(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An ink with enough contrast to the centre of the photo."""
    height, width = photo.shape[:2]
    level = photo[height // 3 : -height // 3, width // 3 : -width // 3].mean()
    inks = [ink for ink in _INKS if abs(np.mean(ink) - level) > 60]
    return np.array(inks[rng.integers(len(inks))], np.float32)


def _lettering(lines: list[str], name: str, width: int) -> Image.Image:
    """Coverage mask of lines of text, the longest `width` pixels wide."""
    drawn = font(name, 40)
    scale = width / max(drawn.getlength(line) for line in lines)
    drawn = font(name, max(11, int(40 * scale)))
    step = int(drawn.size * 1.3)
    letters = Image.new("L", (width + step, step * len(lines)))
    for row, line in enumerate(lines):
        ImageDraw.Draw(letters).text((letters.width / 2, (row + 0.5) * step), line, 255, drawn, anchor="mm")
    return letters
