"""Several stones in one image: pairs, parcels, layouts. `several: false` in params.yaml keeps them.

Fingers, overexposed stones and letters also form several components, but they are not several stones.
"""

from collections.abc import Iterator

import numpy as np
from pydantic import PositiveInt

from curation.cleaning.image_table import ImageTable
from curation.cleaning.reasons import Finding
from curation.cleaning.rules import ClassifierSettings, classified_as
from gemkit.strict_model import Share


class Settings(ClassifierSettings):
    """`stones`: maximum number of stones of similar size in an image.

    The count is ignored if a component's run along the border exceeds `border`, if more than `clipped` of the
    middle is overexposed, or if the image has readable text.
    """

    stones: PositiveInt = 1
    border: Share = 0.045
    clipped: Share = 0.4
    veto_probability: Share = 0.2


def find(images: ImageTable, settings: Settings) -> Iterator[Finding]:
    stones = images.floats("stones")
    is_something_else = (
        (images.floats("border_component_run") > settings.border)
        | (images.floats("clipped_share") > settings.clipped)
        | images.has_text
    )
    allowed = images.content_predictions.probability("several") > settings.veto_probability
    found = (stones > settings.stones) & ~is_something_else & allowed
    for row in np.flatnonzero(found).tolist():
        count = float(stones[row])
        yield Finding(row, f"{count:.0f} stones", "count", "stones", count, settings.stones)
    if settings.stones == 1:  # the classifier tells several stones from one, but does not count them
        yield from classified_as(
            "several", images, settings, ~images.has_text & ~found, "looks like several stones"
        )
