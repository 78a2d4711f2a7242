"""Printed text: certificates, cards, charts. The detector sees one box on almost every stone, rarely two."""

from collections.abc import Iterator

import numpy as np
from pydantic import PositiveInt

from curation.inventory import Inventory
from curation.rules import Reason, RuleSettings


class Settings(RuleSettings):
    """`boxes`: text boxes from which on an image is dropped."""

    boxes: PositiveInt = 3


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    boxes, area = images.numbers("text_boxes"), images.numbers("text_area")
    for row in np.flatnonzero(boxes >= settings.boxes):
        yield Reason(int(row), boxes[row], settings.boxes, f"text boxes over {area[row]:.0%} of the image")
