"""Images of printed text: certificates, cards, charts, screenshots, placeholders.

The detector finds a box on almost every stone, so text must be read too: two lines, one line among several
boxes, or one line that names a laboratory, a report or a chart.
"""

import re
from collections.abc import Iterator

import numpy as np
from pydantic import PositiveInt

from curation.cleaning.image_table import ImageTable
from curation.cleaning.reasons import Finding
from gemkit.strict_model import StrictModel


class Settings(StrictModel):
    """`lines`: how many must be read; `boxes`: how many are enough besides one line; `words`: any of them is
    enough in one line.
    """

    boxes: PositiveInt = 3
    lines: PositiveInt = 2
    words: tuple[str, ...] = (
        "certificate", "report", "laboratory", "laboratories", "gemological", "gemmological", "institute",
        "identification", "authenticity", "gia", "igi", "grs", "ssef", "gubelin", "gjepc", "iigj", "gtl",
        "agl", "ags", "hrd", "refractive", "carat", "chart", "guide", "sale", "shipping", "offer",
        "coming soon", "not available", "no image", "not found", "awaiting",
    )  # fmt: skip


def find(images: ImageTable, settings: Settings) -> Iterator[Finding]:
    boxes, area, texts = images.floats("text_boxes"), images.floats("text_area"), images.strings("text")
    # OCR sometimes drops the space between words.
    words = re.compile("|".join(rf"\b{re.escape(word)}\b".replace(r"\ ", r"\s*") for word in settings.words))
    for row in np.flatnonzero(boxes > 0).tolist():
        lines = (texts[row] or "").splitlines()
        if not lines:
            continue
        quoted = "; ".join(f"'{line}'" for line in lines)
        count = float(boxes[row])
        if count >= settings.boxes:
            text = f"text boxes over {area[row]:.0%} of the image, reading {quoted}"
            yield Finding(row, text, "boxes", "text_boxes", count, settings.boxes)
        elif len(lines) >= settings.lines:
            text = f"lines reading {quoted}"
            yield Finding(row, text, "lines", "text_lines", len(lines), settings.lines)
        elif settings.words and words.search(" ".join(lines).lower()):
            yield Finding(row, f"reads {quoted}", "word")
