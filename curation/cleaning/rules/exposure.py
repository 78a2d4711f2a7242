"""Images too dark or too bright to show a stone's colour.

A dark or a pale stone on white is neither. The rule looks at the brightest and the darkest hundredth of the
pixels, and at how much of the middle is overexposed.
"""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from curation.cleaning.image_table import ImageTable
from curation.cleaning.reasons import Finding
from curation.cleaning.rules import Sign
from gemkit.strict_model import Share, StrictModel

DROPS_BELOW = frozenset({"brightest"})


class Settings(StrictModel):
    """`dark`: minimum lightness (L*) of the brightest hundredth; `bright`: maximum of the darkest hundredth.

    `clipped`: maximum share of the image's central half that may be overexposed.
    """

    dark: Annotated[float, Field(ge=0, le=100)] = 30.0
    bright: Annotated[float, Field(ge=0, le=100)] = 83.0
    clipped: Share = 0.4


def find(images: ImageTable, settings: Settings) -> Iterator[Finding]:
    brightest, darkest = images.floats("brightest"), images.floats("darkest")
    clipped = images.floats("clipped_share")
    is_bright = darkest > settings.bright
    is_clipped = (clipped > settings.clipped) & ~is_bright
    signs = (
        Sign(brightest < settings.dark, "brightest", brightest, settings.dark, "too dark", "dark"),
        Sign(is_bright, "darkest", darkest, settings.bright, "too bright", "bright"),
        Sign(is_clipped, "clipped_share", clipped, settings.clipped, "overexposed in the middle", "clipped"),
    )
    for sign in signs:
        yield from sign.findings()
