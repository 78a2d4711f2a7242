"""Read printed text in an image: a cheap stroke filter first, then rapidocr's detector and recogniser.

The rapidocr wheel includes both models. Detection costs many times as much as decoding, and recognition even
more, so both are skipped for an image without dense strokes.
"""

import functools
from typing import Any, NamedTuple

import cv2
import numpy as np

from curation.imaging.resize import halve_towards, shrink_to
from gemkit.arrays import Array

#: Longer side in pixels of the grey image in which strokes are searched, and their maximum width there.
STROKE_SIDE = 256
_STROKE = 6
_STROKE_CONTRAST = 16
#: Window, about the size of a word, over which the share of stroke pixels is averaged.
_WORD = (48, 10)

#: Longer side in pixels at which lines are read, and how many are read: this many of the longest lines, which
#: are headings, and as many of the lines closest to the middle, where the stone is.
_READ_SIDE = 1280
_LINES = 4

#: Minimum share of a line's box inside another box for the line to be over that box.
_OVERLAP = 0.25

#: Minimum confidence and number of letters of a line that counts as read. Facets are often taken for one or
#: two characters, hardly ever for three letters.
_CONFIDENCE = 0.75
_LETTERS = 3


#: Left, top, right, bottom, as shares of width and height.
RelativeBox = tuple[float, float, float, float]


class Line(NamedTuple):
    """A line that was read, and the box around it."""

    text: str
    box: RelativeBox

    @property
    def letters(self) -> int:
        """Number of letters. Digits do not count, since facets are more often taken for digits."""
        return sum(character.isalpha() for character in self.text)

    def is_over(self, box: RelativeBox) -> bool:
        """Whether enough of the line is inside another box."""
        left, top, right, bottom = self.box
        width = min(right, box[2]) - max(left, box[0])
        height = min(bottom, box[3]) - max(top, box[1])
        return min(width, height) > 0 and width * height >= _OVERLAP * (right - left) * (bottom - top)


class Text(NamedTuple):
    """`boxes`: number of detected boxes; `area`: share of the image under them; `lines`: the lines read."""

    boxes: int
    area: float
    lines: list[Line]


def stroke_density(pixels: Array) -> float:
    """Largest share of pixels on thin dark or light strokes in any word-sized window, 0 to 1.

    `pixels`: height × width × 3, uint8, RGB. Strokes are the pixels that a morphological opening or closing
    with a horizontal line removes.
    """
    grey = cv2.cvtColor(halve_towards(pixels, STROKE_SIDE), cv2.COLOR_RGB2GRAY)
    scale = STROKE_SIDE / max(grey.shape)
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    line = np.ones((1, _STROKE + 1), np.uint8)
    light = cv2.subtract(grey, cv2.morphologyEx(grey, cv2.MORPH_OPEN, line))
    dark = cv2.subtract(cv2.morphologyEx(grey, cv2.MORPH_CLOSE, line), grey)
    strokes = cv2.threshold(cv2.max(light, dark), _STROKE_CONTRAST, 1, cv2.THRESH_BINARY)[1]
    return float(cv2.boxFilter(strokes, cv2.CV_32F, _WORD).max())


def find_text(pixels: Array, side: int) -> Text:
    """Detect text and read the longest lines and those closest to the middle.

    `pixels`: height × width × 3, uint8, RGB. The detector sees it shrunk to a longer side of `side`.
    """
    engine = _engine(side)
    image = cv2.cvtColor(shrink_to(pixels, _READ_SIDE), cv2.COLOR_RGB2BGR)
    found = engine(shrink_to(image, side), use_det=True, use_cls=False, use_rec=False)
    if found.boxes is None:
        return Text(0, 0.0, [])
    height, width = image.shape[:2]
    small_height, small_width = shrink_to(image, side).shape[:2]
    boxes = np.asarray(found.boxes, np.float32)
    area = sum(cv2.contourArea(box) for box in boxes) / (small_height * small_width)
    boxes *= (width / small_width, height / small_height)
    longest = sorted(boxes, key=_length, reverse=True)
    middle = np.array([width / 2, height / 2], np.float32)
    inmost = sorted(longest[_LINES:], key=lambda box: float(np.linalg.norm(box.mean(axis=0) - middle)))
    chosen = longest[:_LINES] + inmost[:_LINES]
    lines = [line for box in chosen if (line := _read(engine, image, box)) is not None]
    return Text(len(boxes), min(1.0, area), lines)


def _length(box: Array) -> float:
    return float(max(np.linalg.norm(box[1] - box[0]), np.linalg.norm(box[3] - box[0])))


def _read(engine: Any, image: Array, box: Array) -> Line | None:
    """The line of text in a box (four corners), or None if it cannot be read."""
    from rapidocr.utils.process_img import get_rotate_crop_image

    read = engine(get_rotate_crop_image(image, box), use_det=False, use_cls=False, use_rec=True)
    if not read.txts or read.scores[0] < _CONFIDENCE:
        return None
    shares = box / (image.shape[1], image.shape[0])
    (left, top), (right, bottom) = shares.min(axis=0).tolist(), shares.max(axis=0).tolist()
    line = Line(" ".join(read.txts[0].split()), (left, top, right, bottom))
    return line if line.letters >= _LETTERS else None


@functools.cache
def _engine(side: int) -> Any:
    from rapidocr import RapidOCR

    return RapidOCR(
        params={
            "Global.log_level": "error",
            "Det.limit_type": "max",
            "Det.limit_side_len": side,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
