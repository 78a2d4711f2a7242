"""Pictures too dark or too bright to show a stone's colour.

A dark stone on white and a pale one on white are neither: what counts is the brightest and the darkest
hundredth of the image, and how much of its middle is burnt out.
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from curation.cleaning.image_table import Inventory
from curation.cleaning.rules import Reason
from gemkit.strict_model import StrictModel


class Settings(StrictModel):
    """`dark`: least lightness (L*) of the brightest hundredth; `bright`: largest of the darkest hundredth.

    `clipped`: largest share of the image's central half that may be burnt out.
    """

    dark: Annotated[float, Field(ge=0, le=100)] = 30.0
    bright: Annotated[float, Field(ge=0, le=100)] = 83.0
    clipped: Annotated[float, Field(ge=0, le=1)] = 0.4


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    darkest, brightest = images.numbers("darkest"), images.numbers("brightest")
    clipped = images.numbers("clipped_share")
    for row in np.flatnonzero(brightest < settings.dark):
        yield Reason(int(row), brightest[row], settings.dark, "too dark")
    for row in np.flatnonzero(darkest > settings.bright):
        yield Reason(int(row), darkest[row], settings.bright, "too bright")
    for row in np.flatnonzero((clipped > settings.clipped) & ~(darkest > settings.bright)):
        yield Reason(int(row), clipped[row], settings.clipped, "burnt out in the middle")
