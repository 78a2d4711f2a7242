"""Stones on a hand, bare or gloved.

A hand comes in over a long part of the border, and its surface is of one colour, which a stone that fills the
picture never is; a palm that fills it leaves a border with folds around a small stone. A region of skin
colour at the border counts as well, unless the border is as even as a backdrop. A stone of skin colour hardly
meets the border.
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from curation.cleaning.image_table import Inventory
from curation.cleaning.rules import KindSettings, Reason, alike

Share = Annotated[float, Field(ge=0, le=1)]

#: A run along more of the border than this is a background.
_ALL_AROUND = 0.9


class Settings(KindSettings):
    """`border`: share of the border over which a limb comes in; `width`: that run over the side of a square
    as large as the limb; `spread`: largest deviation of its colour (Lab).

    `skin`: share of the image that a region of skin colour covers, which comes in as wide as `skin_width`;
    `uniform`: background uniformity from which on it is a backdrop. `residual`: unevenness of the border
    (Lab) from which on it has folds, around stones of up to `stone` of the image. Something printed is
    a sheet of paper that lies on a table.
    """

    border: Share = 0.045
    width: Annotated[float, Field(ge=0)] = 0.4
    spread: Annotated[float, Field(ge=0)] = 8.0
    skin: Share = 0.2
    skin_width: Annotated[float, Field(ge=0)] = 0.55
    uniform: Share = 0.83
    residual: Annotated[float, Field(ge=0)] = 2.35
    stone: Share = 0.2


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    limb, skin = images.numbers("limb_border"), images.numbers("skin_region_share")
    skin_border = images.numbers("skin_border_share")
    residual, stone = images.numbers("background_residual"), images.numbers("stone_share")
    is_limb = (
        (limb > settings.border)
        & (limb < _ALL_AROUND)
        & (_width(limb, images.numbers("limb_share")) > settings.width)
        & (images.numbers("limb_spread") < settings.spread)
    )
    is_skin = (
        (skin > settings.skin)
        & (skin_border < _ALL_AROUND)
        & (_width(skin_border, skin) > settings.skin_width)
        & (images.numbers("background_uniformity") < settings.uniform)
    )
    is_palm = (residual > settings.residual) & (stone > 0) & (stone < settings.stone)
    believed = ~images.printed & (images.kinds.share("hand") > settings.doubt)
    told = np.zeros(len(images), bool)
    signs = (
        (is_limb, limb, settings.border, "something of one colour comes in over that much of the border"),
        (is_skin, skin, settings.skin, "skin that comes in from the border"),
        (is_palm, residual, settings.residual, "a border with folds, a small stone"),
    )
    for sign, value, threshold, detail in signs:
        for row in np.flatnonzero(sign & believed & ~told):
            yield Reason(int(row), value[row], threshold, detail)
        told |= sign & believed
    yield from alike(images, "hand", settings, ~images.printed & ~told, "like a hand")


def _width(run: np.ndarray, share: np.ndarray) -> np.ndarray:
    """A run along the border of a square of side 1, over the side of a square of that share of it."""
    return 4 * run / np.sqrt(np.maximum(share, 1e-6))
