"""Certificates: laboratory reports on stones, photographed or scanned."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scraper.demo_store.rendering.stones import light_tent, make_stone, place_stone, rotation
from scraper.demo_store.rendering.varieties import Variety

_LABORATORIES = (
    "GEM TESTING LABORATORY", "Institute of Gemmology", "JEWELLERY REPORT", "Gemmological Laboratory",
    "STONE IDENTIFICATION REPORT", "International Gem Bureau", "CERTIFICATE OF AUTHENTICITY",
)  # fmt: skip
_PAPERS = (
    (250, 249, 244),
    (247, 241, 222),
    (232, 240, 246),
    (240, 246, 234),
    (246, 236, 238),
    (255, 255, 255),
)
_INKS = ((25, 25, 30), (20, 30, 80), (70, 25, 25), (20, 60, 45))
_FONTS = ("DejaVuSans", "DejaVuSerif", "DejaVuSans-Bold", "DejaVuSerif-Bold", "STIXGeneral", "STIXGeneralBol")


@cache
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """One of the fonts that matplotlib ships."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"), size)


def certificate(variety: Variety, rng: np.random.Generator) -> np.ndarray:
    """A certificate for a stone of the variety, uint8 RGB (height, width, 3)."""
    width = int(rng.integers(440, 760))
    height = int(width * rng.choice([0.65, 0.72, 1.0, 1.3]))
    paper, ink = _PAPERS[rng.integers(len(_PAPERS))], _INKS[rng.integers(len(_INKS))]
    sheet = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(sheet)
    _border(draw, width, height, ink, rng)
    margin = int(width * 0.07)
    heading = str(rng.choice(_LABORATORIES))
    size = int(width * rng.uniform(0.042, 0.055))
    bold = font(str(rng.choice(["DejaVuSerif-Bold", "DejaVuSans-Bold", "STIXGeneralBol"])), size)
    draw.text((width / 2, margin), heading, ink, bold, anchor="ma")
    top = margin + size * 2
    text = font(str(rng.choice(_FONTS)), max(12, int(width * rng.uniform(0.026, 0.033))))
    step = int(text.size * rng.uniform(1.35, 1.7))
    for key, value in _lines(variety, rng):
        if top + step > height - margin - step:
            break
        draw.text((margin, top), key, ink, text)
        draw.text((margin + width * 0.24, top), value, ink, text)
        top += step
    _seal(draw, width, height, ink, rng)
    draw.text((margin, height - margin), "Authorised signatory", ink, text, anchor="ls")
    image = np.asarray(sheet).copy()
    _draw_stone(image, variety, rng)
    return _photographed(image, rng)


def _lines(variety: Variety, rng: np.random.Generator) -> list[tuple[str, str]]:
    length, breadth, depth = sorted(rng.uniform(4, 12, 3), reverse=True)
    lines = [
        ("Report No.", f"{rng.integers(10**7, 10**8)}"),
        ("Date", f"{rng.integers(1, 29):02d}.{rng.integers(1, 13):02d}.20{rng.integers(15, 25)}"),
        ("Weight", f"{rng.uniform(0.5, 9):.2f} carat"),
        ("Dimensions", f"{length:.2f} x {breadth:.2f} x {depth:.2f} mm"),
        ("Shape & Cut", str(rng.choice(["Oval mixed", "Round brilliant", "Octagon step", "Cushion mixed"]))),
        ("Optic Char.", str(rng.choice(["Doubly refractive", "Singly refractive"]))),
        ("R.I.", f"{variety.refractive_index:.3f}"),
        ("S.G.", f"{rng.uniform(2.6, 4.2):.2f}"),
        ("Species", f"Natural {variety.species}"),
        ("Variety", variety.name),
        (
            "Comments",
            str(rng.choice(["No indication of heating", "Minor oil", "Inclusions present", "None"])),
        ),
    ]
    order = rng.permutation(len(lines)) if rng.random() < 0.3 else np.arange(len(lines))
    return [lines[index] for index in order]


def _border(
    draw: ImageDraw.ImageDraw, width: int, height: int, ink: tuple[int, int, int], rng: np.random.Generator
) -> None:
    for inset in (8, 13) if rng.random() < 0.6 else (10,):
        draw.rectangle(
            (inset, inset, width - inset, height - inset), outline=ink, width=int(rng.integers(1, 4))
        )


def _seal(
    draw: ImageDraw.ImageDraw, width: int, height: int, ink: tuple[int, int, int], rng: np.random.Generator
) -> None:
    x, y, radius = (
        width * rng.uniform(0.72, 0.86),
        height * rng.uniform(0.78, 0.84),
        width * rng.uniform(0.05, 0.08),
    )
    colour = tuple(rng.choice([[178, 140, 60], [150, 30, 40], [40, 80, 150]]))
    points = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    reach = radius * (1 + 0.12 * np.cos(points * 24))
    draw.polygon(
        [(x + r * np.cos(a), y + r * np.sin(a)) for a, r in zip(points, reach, strict=True)], fill=colour
    )
    draw.ellipse(
        (x - radius * 0.7, y - radius * 0.7, x + radius * 0.7, y + radius * 0.7), outline="white", width=2
    )
    draw.line((width * 0.4, height * 0.9, width * 0.62, height * 0.9 - 6), fill=ink, width=2)


def _draw_stone(image: np.ndarray, variety: Variety, rng: np.random.Generator) -> None:
    height, width = image.shape[:2]
    side = int(min(width, height) * rng.uniform(0.22, 0.34))
    left, top = int(width * 0.93 - side), int(height * rng.uniform(0.2, 0.34))
    area = image[top : top + side, left : left + side]
    linear = np.full((side, side, 3), rng.uniform(0.75, 1), np.float32)
    turn = rotation(rng.uniform(0, 6.3), rng.uniform(0, 0.3), 0)
    place_stone(linear, make_stone(variety, rng), light_tent(rng), turn, 0, 0, side, rng)
    area[:] = (np.clip(linear, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


def _photographed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Photograph the sheet, slightly rotated and unevenly lit, or leave it as a plain scan."""
    height, width = image.shape[:2]
    if rng.random() < 0.4:
        return image
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    inset = rng.uniform(0.0, 0.06, (4, 2)) * (width, height) * [[1, 1], [-1, 1], [-1, -1], [1, -1]]
    turn = cv2.getPerspectiveTransform(corners, (corners + inset).astype(np.float32))
    desk = tuple(int(value) for value in rng.integers(60, 200) + rng.integers(-15, 16, 3))
    image = cv2.warpPerspective(image, turn, (width, height), borderValue=desk, flags=cv2.INTER_AREA)
    ramp = np.linspace(1, rng.uniform(0.75, 0.95), width, dtype=np.float32)[None, :, None]
    return np.clip(image * ramp + rng.normal(0, 2, (height, width, 1)), 0, 255).astype(np.uint8)
