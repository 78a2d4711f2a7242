"""Images that show something other than a stone: a box, a pouch, tweezers, cloth, a shop.

A stone stands out, is not elongated, is convex or has facets, is shaded, and is on a neutral backdrop. A
violation counts only if the content classifier gives the class `no_stone` enough probability.
"""

from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from curation.cleaning.image_table import ImageTable
from curation.cleaning.reasons import Finding
from curation.cleaning.rules import ClassifierSettings, Sign, classified_as, first_signs
from gemkit.strict_model import Share

#: A foreground that covers more of the image than this is a framed image.
_FRAMED = 0.7


DROPS_BELOW = frozenset({"stone_share", "stone_solidity"})


class Settings(ClassifierSettings):
    """`share`: minimum share of the image that stands out where the contrast is below `contrast` (Lab);
    `elongation`: maximum elongation of a stone.

    `solidity`: minimum share of its convex hull that a surface with a flatness above `flatness` fills;
    `chroma`: maximum chroma (Lab) of a background under something with a flatness above `matte`; `plain`:
    maximum flatness of a component whose colours are within `spread` (Lab). A component whose run along the
    border exceeds `border` and whose colours are within `border_component_spread` is a hand.
    """

    renamed_keys: ClassVar = {**ClassifierSettings.renamed_keys, "limb_spread": "border_component_spread"}

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
    border_component_spread: Annotated[float, Field(ge=0)] = 8.0
    veto_probability: Share = 0.35


def find(images: ImageTable, settings: Settings) -> Iterator[Finding]:
    signs = _signs(images, settings)
    is_hand = (images.floats("border_component_run") > settings.border) & (
        images.floats("border_component_spread") < settings.border_component_spread
    )
    allowed = ~is_hand & (images.content_predictions.probability("no_stone") > settings.veto_probability)
    yield from first_signs(signs, allowed)
    others = ~(allowed & np.any([sign.where for sign in signs], axis=0))
    yield from classified_as("no_stone", images, settings, others, "does not look like a stone")


def _signs(images: ImageTable, settings: Settings) -> tuple[Sign, ...]:
    share, elongation = images.floats("stone_share"), images.floats("stone_elongation")
    solidity, flatness = images.floats("stone_solidity"), images.floats("stone_flatness")
    chroma = np.hypot(*images.vectors("background_lab").T[1:])
    is_one = (images.floats("stones") < 2) & (share < _FRAMED)
    is_empty = (share < settings.share) & (images.floats("stone_contrast") < settings.contrast)
    is_slender = is_one & (elongation > settings.elongation)
    is_ragged = is_one & (solidity < settings.solidity) & (flatness > settings.flatness)
    is_on_colour = (chroma > settings.chroma) & (flatness > settings.matte)
    is_plain = is_one & (flatness > settings.plain) & (images.floats("stone_spread") < settings.spread)
    return (
        Sign(is_empty, "stone_share", share, settings.share, "hardly anything stands out", "empty"),
        Sign(
            is_slender, "stone_elongation", elongation, settings.elongation, "slender as a tool", "slender"
        ),
        Sign(is_ragged, "stone_solidity", solidity, settings.solidity, "matte and not convex", "ragged"),
        Sign(
            is_on_colour, "background_chroma", chroma, settings.chroma,
            "matte, on a colourful background", "colourful_background",
        ),
        Sign(is_plain, "stone_flatness", flatness, settings.plain, "flat and of one colour", "plain"),
    )  # fmt: skip
