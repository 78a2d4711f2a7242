"""Draw how a stone is found: original, edges, mask, box and crop side by side."""

import cv2
import numpy as np

from curation.cropping.crop_image import Crop
from curation.cropping.segmentation import Box
from curation.imaging.composite import on_colour
from gemkit.arrays import Array, Bytes
from gemkit.image_codec import decode_rgb, encode_png

STEPS = ("original", "edges", "mask", "box", "crop")
PANEL = 160
_GAP = 6
_CAPTION = 22
#: Scale of the font.
_TEXT = 0.42
_GREEN, _ORANGE, _GREY, _PALE = (40, 220, 90), (255, 150, 30), (70, 70, 70), (205, 205, 205)


def draw_steps(strips: list[tuple[str, bytes]]) -> bytes:
    """A PNG with one row of captioned panels for each (name, encoded `step_strip`)."""
    rows = []
    for name, strip in strips:
        panels = np.split(decode_rgb(strip), len(STEPS), axis=1)
        captions = (name, *STEPS[1:])
        framed = [_captioned(panel, caption) for panel, caption in zip(panels, captions, strict=True)]
        rows.append(np.concatenate(framed, axis=1))
    return encode_png(np.concatenate(rows))


def step_strip(image: Bytes, crop: Crop, panel: int = PANEL) -> Bytes:
    """Original, edges, mask, boxes (stone green, crop orange) and crop, each panel × panel pixels, RGB.

    `image`: the pixels that the crop was made of. A panel of what was not found says so.
    """
    stone, record = crop.stone, crop.record
    edges = stone.edges.astype(np.uint8) * 255 if stone.edges.any() else None
    boxed = _panel(image, panel)
    for box, colour in ((record.crop_box, _ORANGE), (record.stone_box, _GREEN)):
        if box:
            left, top, right, bottom = _in_panel(box, image.shape, panel)
            cv2.rectangle(boxed, (left, top), (right - 1, bottom - 1), colour, 1)
    visible = on_colour(crop.visible, _PALE)
    found = [
        _note(f"no {name}", panel) if grey is None else _panel(cv2.merge([grey] * 3), panel)
        for name, grey in (("edges", edges), ("mask", stone.mask))
    ]
    return np.concatenate([_panel(image, panel), *found, boxed, _panel(visible, panel)], axis=1)


def _panel(image: Array, side: int) -> Bytes:
    """The image fitted into the middle of a white side × side square."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    panel = np.full((side, side, 3), 255, np.uint8)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    panel[top : top + size[1], left : left + size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return panel


def _note(text: str, side: int) -> Bytes:
    """A black side × side square with a text in its middle."""
    panel = np.zeros((side, side, 3), np.uint8)
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, _TEXT, 1)
    left, bottom = (side - width) // 2, (side + height) // 2
    cv2.putText(panel, text, (left, bottom), cv2.FONT_HERSHEY_SIMPLEX, _TEXT, _PALE, 1, cv2.LINE_AA)
    return panel


def _in_panel(box: Box, shape: tuple[int, ...], side: int) -> Box:
    """A box in an image of this shape in the coordinates of its panel."""
    height, width = shape[:2]
    scale = side / max(height, width)
    x, y = (side - width * scale) / 2, (side - height * scale) / 2
    left, right = (round(x + edge * scale) for edge in box[0::2])
    top, bottom = (round(y + edge * scale) for edge in box[1::2])
    return left, top, right, bottom


def _captioned(panel: Bytes, caption: str) -> Array:
    framed = cv2.copyMakeBorder(panel, _CAPTION, _GAP, _GAP, _GAP, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    text = caption.encode("ascii", "replace").decode()  # the font only has ASCII
    cv2.putText(framed, text, (_GAP, _CAPTION - 7), cv2.FONT_HERSHEY_SIMPLEX, _TEXT, _GREY, 1, cv2.LINE_AA)
    return framed
