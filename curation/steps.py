"""The Canny steps as a picture: original, edges, box and crop of a few images side by side."""

import cv2
import numpy as np

from curation.centre import cut_centre, decode_rgb
from curation.cut import cut_stone
from curation.params import CropParams
from curation.stone import find_stone

STEPS = ("original", "edges", "box", "crop")
PANEL = 160
_GAP = 6
_CAPTION = 22
_GREEN, _ORANGE, _GREY = (40, 220, 90), (255, 150, 30), (70, 70, 70)


def draw_steps(strips: list[tuple[str, bytes]]) -> bytes:
    """A PNG with one row of four captioned panels for each (name, strip of `step_strip`)."""
    rows = []
    for name, strip in strips:
        panels = np.split(decode_rgb(strip), len(STEPS), axis=1)
        captions = (name, *STEPS[1:])
        framed = [_captioned(panel, caption) for panel, caption in zip(panels, captions, strict=True)]
        rows.append(np.concatenate(framed, axis=1))
    return _encode_png(np.concatenate(rows))


def step_strip(image: np.ndarray, params: CropParams) -> bytes:
    """A PNG of original, edges, box (stone green, the crop's square orange) and crop, each PANEL × PANEL."""
    stone = find_stone(image, params.model)
    crop = cut_stone(image, stone, params)
    edges = np.repeat(stone.edges[..., None].astype(np.uint8) * 255, 3, axis=2)
    boxed, scale = _panel(image)
    for box, colour in ((crop.crop_box, _ORANGE), (crop.stone_box, _GREEN)):
        if box:
            left, top, right, bottom = _in_panel(box, image.shape, scale)
            cv2.rectangle(boxed, (left, top), (right - 1, bottom - 1), colour, 1)
    visible, _ = _panel(cut_centre(crop.image, params.size))
    return _encode_png(np.concatenate([_panel(image)[0], _panel(edges)[0], boxed, visible], axis=1))


def _encode_png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


def _panel(image: np.ndarray) -> tuple[np.ndarray, float]:
    """The image fitted into the middle of a white PANEL × PANEL square, and its scale."""
    height, width = image.shape[:2]
    scale = PANEL / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    panel = np.full((PANEL, PANEL, 3), 255, np.uint8)
    left, top = (PANEL - size[0]) // 2, (PANEL - size[1]) // 2
    panel[top : top + size[1], left : left + size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return panel, scale


def _in_panel(box: tuple[int, ...], shape: tuple[int, ...], scale: float) -> tuple[int, int, int, int]:
    x, y = (PANEL - shape[1] * scale) / 2, (PANEL - shape[0] * scale) / 2
    left, right = (round(x + edge * scale) for edge in box[0::2])
    top, bottom = (round(y + edge * scale) for edge in box[1::2])
    return left, top, right, bottom


def _captioned(panel: np.ndarray, caption: str) -> np.ndarray:
    framed = cv2.copyMakeBorder(panel, _CAPTION, _GAP, _GAP, _GAP, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    text = caption.encode("ascii", "replace").decode()  # the font has no other letters
    cv2.putText(framed, text, (_GAP, _CAPTION - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _GREY, 1, cv2.LINE_AA)
    return framed
