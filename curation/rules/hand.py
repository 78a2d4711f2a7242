"""Stones on a hand: a large region of skin colour that reaches in from a part of the image's border.

A stone of skin colour meets the border hardly at all, and a backdrop of skin colour is more even than skin.
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from curation.inventory import Inventory
from curation.rules import Reason, RuleSettings


class Settings(RuleSettings):
    """`region`: share of the image that the largest skin region at the border may cover.

    `border`: least share of the border that skin meets where there is a hand; `uniform`: background
    uniformity from which on it is a backdrop.
    """

    region: Annotated[float, Field(gt=0, le=1)] = 0.08
    border: Annotated[float, Field(ge=0, le=1)] = 0.08
    uniform: Annotated[float, Field(ge=0, le=1)] = 0.83


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    region, border = images.numbers("skin_region_share"), images.numbers("skin_border_share")
    is_even = images.numbers("background_uniformity") >= settings.uniform
    for row in np.flatnonzero((region > settings.region) & (border > settings.border) & ~is_even):
        detail = f"skin region that meets {border[row]:.0%} of the border"
        yield Reason(int(row), region[row], settings.region, detail)
