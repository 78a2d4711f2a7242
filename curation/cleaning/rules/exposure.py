"""Images too dark or too bright to show a stone's colour.

A dark or a pale stone on white is neither. The rule looks at the brightest and the darkest hundredth of the
pixels, and at how much of the middle is overexposed.
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from curation.cleaning.image_table import ImageTable
from curation.cleaning.rules import Reason
from gemkit.strict_model import StrictModel


class Settings(StrictModel):
    """`dark`: minimum lightness (L*) of the brightest hundredth; `bright`: maximum of the darkest hundredth.

    `clipped`: maximum share of the image's central half that may be overexposed.
    """

    dark: Annotated[float, Field(ge=0, le=100)] = 30.0
    bright: Annotated[float, Field(ge=0, le=100)] = 83.0
    clipped: Annotated[float, Field(ge=0, le=1)] = 0.4


def find(images: ImageTable, settings: Settings) -> Iterator[Reason]:
    darkest, brightest = images.floats("darkest"), images.floats("brightest")
    clipped = images.floats("clipped_share")
    for row in np.flatnonzero(brightest < settings.dark):
        yield Reason(int(row), brightest[row], settings.dark, "too dark")
    for row in np.flatnonzero(darkest > settings.bright):
        yield Reason(int(row), darkest[row], settings.bright, "too bright")
    for row in np.flatnonzero((clipped > settings.clipped) & ~(darkest > settings.bright)):
        yield Reason(int(row), clipped[row], settings.clipped, "overexposed in the middle")
