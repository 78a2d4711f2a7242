"""Images so out of focus or so shaken that neither facets nor an outline are visible."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from curation.cleaning.image_table import ImageTable
from curation.cleaning.rules import Reason
from gemkit.strict_model import StrictModel


class Settings(StrictModel):
    """`sharpness`: minimum standard deviation of the Laplacian, on the image reduced to 64 pixels."""

    sharpness: Annotated[float, Field(ge=0)] = 5.2


def find(images: ImageTable, settings: Settings) -> Iterator[Reason]:
    sharpness = images.floats("sharpness")
    for row in np.flatnonzero(sharpness < settings.sharpness):
        yield Reason(int(row), sharpness[row], settings.sharpness, "no sharp edge")
