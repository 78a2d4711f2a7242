"""A contact sheet of the demo store: a row of stones for each variety, then the dirt to be cleaned."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gemkit.tables import replaced
from scraper.demo_store.catalogue import Photo, build
from scraper.demo_store.render import render_pixels
from scraper.demo_store.rendering.varieties import VARIETIES

_COLUMNS, _CELL, _MARGIN, _LABEL = 8, 100, 4, 118
_DIRT = {
    "Certificates": ("certificate",),
    "Charts, banners": ("size_chart", "banner", "placeholder", "screenshot"),
    "Hands": ("hand", "glove"),
    "Several stones": ("several",),
    "No stone": ("no_stone",),
    "Watermarks": ("watermark",),
    "Camera defects": ("blurred", "dark", "bright", "blank"),
    "Stock photos": ("stock",),
}


def contact_sheet(path: Path, seed: int) -> None:
    """Write a PNG with a few photos of each variety and of each kind of dirt."""
    photos = build(seed, 1.0).photos
    rows = [(v.name, [p for p in photos if p.kind == "stone" and p.variety == v.name]) for v in VARIETIES]
    rows += [(label, _of_kinds(photos, kinds)) for label, kinds in _DIRT.items()]
    step = _CELL + _MARGIN
    sheet = Image.new("RGB", (_LABEL + _COLUMNS * step, len(rows) * step + _MARGIN), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for row, (label, candidates) in enumerate(rows):
        draw.text((8, row * step + step / 2), label, "black", font, anchor="lm")
        for column, photo in enumerate(_spread(candidates)):
            sheet.paste(_thumbnail(photo), (_LABEL + column * step, row * step + _MARGIN))
    # A palette of 256 colours keeps the file small; dithering keeps the stones' gradients.
    palette = sheet.quantize(256, method=Image.Quantize.FASTOCTREE, kmeans=2)
    with replaced(path) as temporary:
        sheet.quantize(palette=palette).save(temporary, "PNG", optimize=True)


def _of_kinds(photos: list[Photo], kinds: tuple[str, ...]) -> list[Photo]:
    """The same number of photos of each kind, kind by kind."""
    each = _COLUMNS // len(kinds)
    return [photo for kind in kinds for photo in [p for p in photos if p.kind == kind][:each]]


def _spread(photos: list[Photo]) -> list[Photo]:
    return photos[:: max(1, len(photos) // _COLUMNS)][:_COLUMNS]


def _thumbnail(photo: Photo) -> Image.Image:
    pixels: np.ndarray = render_pixels(photo)
    side = min(pixels.shape[:2])
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    square = pixels[top : top + side, left : left + side]
    return Image.fromarray(cv2.resize(square, (_CELL, _CELL), interpolation=cv2.INTER_AREA))
