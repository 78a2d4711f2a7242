"""Images too small to show a stone: icons, thumbnails."""

from collections.abc import Iterator

import numpy as np
from pydantic import PositiveInt

from curation.cleaning.image_table import ImageTable
from curation.cleaning.rules import Reason
from gemkit.strict_model import StrictModel


class Settings(StrictModel):
    """`side`: minimum length of the shorter side, pixels."""

    side: PositiveInt = 100


def find(images: ImageTable, settings: Settings) -> Iterator[Reason]:
    width, height = images.floats("width"), images.floats("height")
    shorter = np.minimum(width, height)
    for row in np.flatnonzero(shorter < settings.side):
        yield Reason(int(row), shorter[row], settings.side, f"{width[row]:.0f}×{height[row]:.0f} pixels")
