"""Images of nothing: a single colour, or an even gradient."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from curation.cleaning.image_table import ImageTable
from curation.cleaning.reasons import Finding
from curation.cleaning.rules import Sign
from gemkit.strict_model import StrictModel

DROPS_BELOW = frozenset({"stone_contrast"})


class Settings(StrictModel):
    """`contrast`: minimum of the 99th percentile of the distance from the background (Lab)."""

    contrast: Annotated[float, Field(ge=0)] = 10.0


def find(images: ImageTable, settings: Settings) -> Iterator[Finding]:
    contrast = images.floats("stone_contrast")
    is_blank = contrast < settings.contrast
    yield from Sign(
        is_blank, "stone_contrast", contrast, settings.contrast, "hardly anything stands out"
    ).findings()
