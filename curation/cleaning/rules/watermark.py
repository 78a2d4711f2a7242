"""A shop's name or address lettered over the stone."""

from collections.abc import Iterator

import numpy as np
from pydantic import PositiveInt

from curation.cleaning.image_table import Inventory
from curation.cleaning.rules import Reason
from gemkit.strict_model import StrictModel


class Settings(StrictModel):
    """`letters`: how many letters, read on the stone, are enough."""

    letters: PositiveInt = 3


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    letters, texts = images.numbers("text_over_stone"), images.words("text")
    for row in np.flatnonzero(letters >= settings.letters):
        quoted = "; ".join(f"'{line}'" for line in texts[row].splitlines())
        yield Reason(int(row), letters[row], settings.letters, f"letters over the stone: {quoted}")
