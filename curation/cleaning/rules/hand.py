"""Stones on a hand, bare or gloved.

A hand enters over a long part of the border, and its surface has one colour; a stone that fills the image
never has. A palm that fills the image leaves a creased border around a small stone. A skin-coloured region at
the border also counts, unless the border is as even as a backdrop. A skin-coloured stone hardly meets the
border.
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from curation.cleaning.image_table import ImageTable
from curation.cleaning.reasons import Finding
from curation.cleaning.rules import ClassifierSettings, Sign, classified_as, first_signs
from gemkit.arrays import Floats
from gemkit.strict_model import Share

#: A component with a longer run along the border than this is a background.
_ALL_AROUND = 0.9


class Settings(ClassifierSettings):
    """`border`: share of the border over which a component must enter; `width`: minimum of that run over the
    side of a square as large as the component; `spread`: maximum spread of its colours (Lab).

    `skin`: minimum share of the image that a skin-coloured region covers, with a relative width of at least
    `skin_width`; `uniform`: background uniformity from which on the border is a backdrop. `residual`:
    unevenness of the border (Lab) from which on it is creased, around stones of at most `stone` of the image.
    Images with readable text are exempt: they show a sheet of paper on a table.
    """

    border: Share = 0.045
    width: Annotated[float, Field(ge=0)] = 0.4
    spread: Annotated[float, Field(ge=0)] = 8.0
    skin: Share = 0.2
    skin_width: Annotated[float, Field(ge=0)] = 0.55
    uniform: Share = 0.83
    residual: Annotated[float, Field(ge=0)] = 2.35
    stone: Share = 0.2


def find(images: ImageTable, settings: Settings) -> Iterator[Finding]:
    run, skin = images.floats("border_component_run"), images.floats("skin_region_share")
    skin_border = images.floats("skin_border_share")
    residual, stone = images.floats("background_residual"), images.floats("stone_share")
    is_border_component = (
        (run > settings.border)
        & (run < _ALL_AROUND)
        & (_width(run, images.floats("border_component_share")) > settings.width)
        & (images.floats("border_component_spread") < settings.spread)
    )
    is_skin = (
        (skin > settings.skin)
        & (skin_border < _ALL_AROUND)
        & (_width(skin_border, skin) > settings.skin_width)
        & (images.floats("background_uniformity") < settings.uniform)
    )
    is_palm = (residual > settings.residual) & (stone > 0) & (stone < settings.stone)
    signs = (
        Sign(
            is_border_component, "border_component_run", run, settings.border,
            "something of one colour enters over the border", "border_component",
        ),
        Sign(
            is_skin, "skin_region_share", skin, settings.skin, "skin that enters over the border", "skin"
        ),
        Sign(
            is_palm, "background_residual", residual, settings.residual,
            "a creased border around a small stone", "palm",
        ),
    )  # fmt: skip
    allowed = ~images.has_text & (images.content_predictions.probability("hand") > settings.veto_probability)
    yield from first_signs(signs, allowed)
    others = ~images.has_text & ~(allowed & (is_border_component | is_skin | is_palm))
    yield from classified_as("hand", images, settings, others, "looks like a hand")


def _width(run: Floats, share: Floats) -> Floats:
    """A run along the border of the unit square over the side of a square of the given area."""
    width: Floats = 4 * run / np.sqrt(np.maximum(share, 1e-6))
    return width
