"""Images with a store's name or address printed over the stone."""

from collections.abc import Iterator

import numpy as np
from pydantic import PositiveInt

from curation.cleaning.image_table import ImageTable
from curation.cleaning.reasons import Finding
from gemkit.strict_model import StrictModel


class Settings(StrictModel):
    """`letters`: minimum number of letters read over the stone."""

    letters: PositiveInt = 3


def find(images: ImageTable, settings: Settings) -> Iterator[Finding]:
    letters, texts = images.floats("text_over_stone"), images.strings("text")
    for row in np.flatnonzero(letters >= settings.letters).tolist():
        quoted = "; ".join(f"'{line}'" for line in texts[row].splitlines())
        yield Finding(
            row,
            f"letters over the stone: {quoted}",
            measurement="text_over_stone",
            value=float(letters[row]),
            threshold=settings.letters,
        )
