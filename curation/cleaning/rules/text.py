"""Printed text: certificates, cards, charts, screenshots, placeholders.

The detector sees a box on almost every stone, so something must be read too: two lines of letters, one among
several boxes, or one that names a laboratory, a report, a chart.
"""

import re
from collections.abc import Iterator

import numpy as np
from pydantic import PositiveInt

from curation.cleaning.image_table import Inventory
from curation.cleaning.rules import Reason
from gemkit.strict_model import StrictModel


class Settings(StrictModel):
    """How many `lines` must be read, or `boxes` found beside one line, or which of the `words` be in it."""

    boxes: PositiveInt = 3
    lines: PositiveInt = 2
    words: tuple[str, ...] = (
        "certificate", "report", "laboratory", "laboratories", "gemological", "gemmological", "institute",
        "identification", "authenticity", "gia", "igi", "grs", "ssef", "gubelin", "gjepc", "iigj", "gtl",
        "agl", "ags", "hrd", "refractive", "carat", "chart", "guide", "sale", "shipping", "offer",
        "coming soon", "not available", "no image", "not found", "awaiting",
    )  # fmt: skip


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    boxes, area, texts = images.numbers("text_boxes"), images.numbers("text_area"), images.words("text")
    # Readers drop the space between words now and then.
    words = re.compile("|".join(rf"\b{re.escape(word)}\b".replace(r"\ ", r"\s*") for word in settings.words))
    for row in np.flatnonzero(boxes > 0):
        lines = (texts[row] or "").splitlines()
        if not lines:
            continue
        quoted = "; ".join(f"'{line}'" for line in lines)
        if boxes[row] >= settings.boxes:
            detail = f"text boxes over {area[row]:.0%} of the image, which read {quoted}"
            yield Reason(int(row), boxes[row], settings.boxes, detail)
        elif len(lines) >= settings.lines:
            yield Reason(int(row), float(len(lines)), settings.lines, f"lines that read {quoted}")
        elif settings.words and words.search(" ".join(lines).lower()):
            yield Reason(int(row), None, None, f"reads {quoted}")
