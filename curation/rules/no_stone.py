"""Pictures that show something else than a stone: a box, a pouch, tweezers, cloth, a shop.

Told by what the measurements know of a stone: it stands out, is no stick, is convex or has facets, and lies
on a neutral backdrop. A closed box with flat sides looks to them like a cabochon and stays.
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from curation.inventory import Inventory
from curation.rules import Reason, RuleSettings

Share = Annotated[float, Field(ge=0, le=1)]


class Settings(RuleSettings):
    """`share`: least share of the image that stands out; `elongation`: largest of one stone.

    `solidity`: of its convex hull, that a surface as flat as `flatness` fills at least; `chroma`:
    colourfulness (Lab) of a background that only something as flat as `matte` lies on. What comes in over
    that much of the `border` is a hand.
    """

    share: Share = 0.012
    elongation: Annotated[float, Field(ge=1)] = 3.2
    solidity: Share = 0.92
    flatness: Share = 0.75
    chroma: Annotated[float, Field(ge=0)] = 18.0
    matte: Share = 0.5
    border: Share = 0.045


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    share, elongation = images.numbers("stone_share"), images.numbers("stone_elongation")
    solidity, flatness = images.numbers("stone_solidity"), images.numbers("stone_flatness")
    chroma = np.hypot(*images.colours("background_lab").T[1:])
    is_one = images.numbers("stones") == 1
    is_slender = is_one & (elongation > settings.elongation)
    signs = [
        (share < settings.share, share, settings.share, "hardly anything stands out"),
        (is_slender, elongation, settings.elongation, "as slender as a tool"),
        (
            is_one & (solidity < settings.solidity) & (flatness > settings.flatness),
            solidity, settings.solidity, "matte and not convex",
        ),
        (
            (chroma > settings.chroma) & (flatness > settings.matte),
            chroma, settings.chroma, "matte, on a colourful background",
        ),
    ]  # fmt: skip
    told = images.numbers("limb_border") > settings.border
    for found, value, threshold, detail in signs:
        for row in np.flatnonzero(found & ~told):
            yield Reason(int(row), value[row], threshold, detail)
        told |= found
