"""Several stones in one picture: pairs, parcels, layouts. `several: false` in params.yaml keeps them.

Fingers, burnt-out stones and letters are several things as well, but no stones.
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from curation.cleaning.image_table import Inventory
from curation.cleaning.rules import KindSettings, Reason, alike

Share = Annotated[float, Field(ge=0, le=1)]


class Settings(KindSettings):
    """`stones`: how many of about one size an image may show, unless something comes in over that much of its
    `border`, so much of its middle is burnt out (`clipped`), or something is printed on it.
    """

    stones: PositiveInt = 1
    border: Share = 0.045
    clipped: Share = 0.4
    doubt: Share = 0.2


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    stones = images.numbers("stones")
    is_something_else = (
        (images.numbers("limb_border") > settings.border)
        | (images.numbers("clipped_share") > settings.clipped)
        | images.printed
    )
    believed = images.kinds.share("several") > settings.doubt
    told = (stones > settings.stones) & ~is_something_else & believed
    for row in np.flatnonzero(told):
        yield Reason(int(row), stones[row], settings.stones, f"{stones[row]:.0f} stones")
    if settings.stones == 1:  # the likeness tells several from one, but does not count
        yield from alike(images, "several", settings, ~images.printed & ~told, "like several stones")
