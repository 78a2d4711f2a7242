"""Images far from square: banners, size charts, strips."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from curation.inventory import Inventory
from curation.rules import Reason, RuleSettings


class Settings(RuleSettings):
    """`ratio`: largest longer side over shorter side."""

    ratio: Annotated[float, Field(ge=1)] = 3.0


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    width, height = images.numbers("width"), images.numbers("height")
    ratio = np.maximum(width, height) / np.minimum(width, height)
    for row in np.flatnonzero(ratio > settings.ratio):
        yield Reason(int(row), ratio[row], settings.ratio, f"{width[row]:.0f}×{height[row]:.0f} pixels")
