"""Images too small to show a stone: icons, thumbnails."""

from collections.abc import Iterator

import numpy as np
from pydantic import PositiveInt

from curation.cleaning.image_table import ImageTable
from curation.cleaning.reasons import Finding
from gemkit.strict_model import StrictModel

DROPS_BELOW = frozenset({"shorter_side"})


class Settings(StrictModel):
    """`side`: minimum length of the shorter side, pixels."""

    side: PositiveInt = 100


def find(images: ImageTable, settings: Settings) -> Iterator[Finding]:
    width, height, shorter = (images.floats(name) for name in ("width", "height", "shorter_side"))
    for row in np.flatnonzero(shorter < settings.side).tolist():
        size = f"{width[row]:.0f}×{height[row]:.0f} pixels"
        yield Finding(
            row, size, measurement="shorter_side", value=float(shorter[row]), threshold=settings.side
        )
