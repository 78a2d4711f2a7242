"""Pictures that show something else than a stone: a box, a pouch, tweezers, cloth, a shop.

Told by what the measurements know of a stone: it stands out, is no stick, is convex or has facets, is shaded,
and lies on a neutral backdrop. Few of these signs are believed alone: the whole look (`kinds`) must allow it.
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from curation.cleaning.image_table import Inventory
from curation.cleaning.rules import KindSettings, Reason, alike

#: What stands out over more of the image than this is a picture in a frame.
_FRAMED = 0.7

Share = Annotated[float, Field(ge=0, le=1)]


class Settings(KindSettings):
    """`share`: least share of the image that stands out where nothing does so by as much `contrast` (Lab);
    `elongation`: largest of one stone.

    `solidity`: of its convex hull, that a surface as flat as `flatness` fills at least; `chroma`:
    colourfulness (Lab) of a background that nothing as flat as `matte` lies on; `plain`: flatness of what is
    all of one colour, within `spread` (Lab). What comes in over so much of the `border`, with a colour within
    `limb_spread`, is a hand.
    """

    share: Share = 0.012
    contrast: Annotated[float, Field(ge=0)] = 16.0
    elongation: Annotated[float, Field(ge=1)] = 3.2
    solidity: Share = 0.88
    flatness: Share = 0.35
    chroma: Annotated[float, Field(ge=0)] = 18.0
    matte: Share = 0.2
    plain: Share = 0.55
    spread: Annotated[float, Field(ge=0)] = 1.0
    border: Share = 0.045
    limb_spread: Annotated[float, Field(ge=0)] = 8.0
    doubt: Share = 0.35


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    share, elongation = images.numbers("stone_share"), images.numbers("stone_elongation")
    solidity, flatness = images.numbers("stone_solidity"), images.numbers("stone_flatness")
    chroma = np.hypot(*images.lists("background_lab").T[1:])
    is_one = (images.numbers("stones") < 2) & (share < _FRAMED)
    is_ragged = is_one & (solidity < settings.solidity) & (flatness > settings.flatness)
    is_plain = is_one & (flatness > settings.plain) & (images.numbers("stone_spread") < settings.spread)
    is_empty = (share < settings.share) & (images.numbers("stone_contrast") < settings.contrast)
    signs = (
        (is_empty, share, settings.share, "hardly anything stands out"),
        (is_one & (elongation > settings.elongation), elongation, settings.elongation, "slender as a tool"),
        (is_ragged, solidity, settings.solidity, "matte and not convex"),
        (
            (chroma > settings.chroma) & (flatness > settings.matte),
            chroma, settings.chroma, "matte, on a colourful background",
        ),
        (is_plain, flatness, settings.plain, "flat and of one colour"),
    )  # fmt: skip
    is_limb = (images.numbers("limb_border") > settings.border) & (
        images.numbers("limb_spread") < settings.limb_spread
    )
    believed = ~is_limb & (images.kinds.share("no_stone") > settings.doubt)
    told = np.zeros(len(images), bool)
    for found, value, threshold, detail in signs:
        for row in np.flatnonzero(found & believed & ~told):
            yield Reason(int(row), value[row], threshold, detail)
        told |= found & believed
    yield from alike(images, "no_stone", settings, ~told, "like no stone")
