"""Images of nothing: a single colour, or an even gradient."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from curation.cleaning.image_table import ImageTable
from curation.cleaning.rules import Reason
from gemkit.strict_model import StrictModel


class Settings(StrictModel):
    """`contrast`: minimum of the 99th percentile of the distance from the background (Lab)."""

    contrast: Annotated[float, Field(ge=0)] = 10.0


def find(images: ImageTable, settings: Settings) -> Iterator[Reason]:
    contrast = images.floats("stone_contrast")
    for row in np.flatnonzero(contrast < settings.contrast):
        yield Reason(int(row), contrast[row], settings.contrast, "hardly anything stands out")
