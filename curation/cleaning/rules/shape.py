"""Images far from square: banners, size charts, strips."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from curation.cleaning.image_table import ImageTable
from curation.cleaning.rules import Reason
from gemkit.strict_model import StrictModel


class Settings(StrictModel):
    """`ratio`: maximum of longer side over shorter side."""

    ratio: Annotated[float, Field(ge=1)] = 3.0


def find(images: ImageTable, settings: Settings) -> Iterator[Reason]:
    width, height = images.floats("width"), images.floats("height")
    ratio = np.maximum(width, height) / np.minimum(width, height)
    for row in np.flatnonzero(ratio > settings.ratio):
        yield Reason(int(row), ratio[row], settings.ratio, f"{width[row]:.0f}×{height[row]:.0f} pixels")
