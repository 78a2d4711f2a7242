"""Pictures so far out of focus, or so shaken, that no facet and no outline shows."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from curation.cleaning.image_table import Inventory
from curation.cleaning.rules import Reason
from gemkit.strict_model import StrictModel


class Settings(StrictModel):
    """`sharpness`: least deviation of the Laplacian, on the picture made small."""

    sharpness: Annotated[float, Field(ge=0)] = 5.2


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    sharpness = images.numbers("sharpness")
    for row in np.flatnonzero(sharpness < settings.sharpness):
        yield Reason(int(row), sharpness[row], settings.sharpness, "no sharp edge")
