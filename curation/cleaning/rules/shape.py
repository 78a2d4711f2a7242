"""Images far from square: banners, size charts, strips."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from curation.cleaning.image_table import ImageTable
from curation.cleaning.reasons import Finding
from gemkit.strict_model import StrictModel


class Settings(StrictModel):
    """`ratio`: maximum of longer side over shorter side."""

    ratio: Annotated[float, Field(ge=1)] = 3.0


def find(images: ImageTable, settings: Settings) -> Iterator[Finding]:
    width, height, ratio = (images.floats(name) for name in ("width", "height", "aspect_ratio"))
    for row in np.flatnonzero(ratio > settings.ratio).tolist():
        size = f"{width[row]:.0f}×{height[row]:.0f} pixels"
        yield Finding(
            row, size, measurement="aspect_ratio", value=float(ratio[row]), threshold=settings.ratio
        )
