"""Pictures of nothing: all of one colour, or an even gradient."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from curation.cleaning.image_table import Inventory
from curation.cleaning.rules import Reason
from gemkit.strict_model import StrictModel


class Settings(StrictModel):
    """`contrast`: least distance from the background (Lab) that a hundredth of the image reaches."""

    contrast: Annotated[float, Field(ge=0)] = 10.0


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    contrast = images.numbers("stone_contrast")
    for row in np.flatnonzero(contrast < settings.contrast):
        yield Reason(int(row), contrast[row], settings.contrast, "hardly anything stands out")
