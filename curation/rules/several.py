"""Several stones in one picture: pairs, parcels, layouts. `several: false` in params.yaml keeps them.

Fingers, burnt-out stones and letters are several things as well, but no stones.
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from curation.inventory import Inventory
from curation.rules import Reason, RuleSettings

Share = Annotated[float, Field(ge=0, le=1)]


class Settings(RuleSettings):
    """`stones`: how many of about one size an image may show, unless something comes in over that much of its
    `border`, so much of its middle is burnt out (`clipped`), or something is printed on it.
    """

    stones: PositiveInt = 1
    border: Share = 0.045
    clipped: Share = 0.4


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    stones = images.numbers("stones")
    is_something_else = (
        (images.numbers("limb_border") > settings.border)
        | (images.numbers("clipped_share") > settings.clipped)
        | images.printed
    )
    for row in np.flatnonzero((stones > settings.stones) & ~is_something_else):
        yield Reason(int(row), stones[row], settings.stones, f"{stones[row]:.0f} stones")
