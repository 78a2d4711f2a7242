"""Images so out of focus or so shaken that neither facets nor an outline are visible."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from curation.cleaning.image_table import ImageTable
from curation.cleaning.reasons import Finding
from curation.cleaning.rules import Sign
from gemkit.strict_model import StrictModel

DROPS_BELOW = frozenset({"sharpness"})


class Settings(StrictModel):
    """`sharpness`: minimum standard deviation of the Laplacian, on the image reduced to 64 pixels."""

    sharpness: Annotated[float, Field(ge=0)] = 5.2


def find(images: ImageTable, settings: Settings) -> Iterator[Finding]:
    sharpness = images.floats("sharpness")
    is_blurred = sharpness < settings.sharpness
    yield from Sign(is_blurred, "sharpness", sharpness, settings.sharpness, "no sharp edge").findings()
