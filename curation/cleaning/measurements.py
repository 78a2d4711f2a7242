"""The numbers that rules compare with thresholds: columns of MEASURED, and what follows from them."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from curation.tables import MEASURED
from gemkit.arrays import Floats

#: The numeric columns of MEASURED.
NUMERIC_COLUMNS = tuple(
    field.name for field in MEASURED if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
)


def _shorter_side(width: Floats, height: Floats) -> Floats:
    return np.minimum(width, height)


def _aspect_ratio(width: Floats, height: Floats) -> Floats:
    ratio: Floats = np.maximum(width, height) / np.minimum(width, height)
    return ratio


#: Measurements computed from width and height.
_OF_SIZE: dict[str, Callable[[Floats, Floats], Floats]] = {
    "shorter_side": _shorter_side,
    "aspect_ratio": _aspect_ratio,
}

#: Every measurement that `MeasuredImages.floats` knows. Rules may name others, which take more than these
#: columns to compute: the probability of a class, the distance to a copy.
MEASUREMENTS = frozenset((*NUMERIC_COLUMNS, *_OF_SIZE))


class MeasuredImages:
    """Base of tables of images; `measured` holds each image's row of MEASURED, or some columns of it."""

    sha256: list[str]
    measured: pa.Table

    def __len__(self) -> int:
        return len(self.sha256)

    def floats(self, name: str) -> Floats:
        """A measurement of each image as float64, NaN where it has none."""
        if name in _OF_SIZE:
            return _OF_SIZE[name](self.floats("width"), self.floats("height"))
        values: Floats = self.measured[name].cast(pa.float64()).to_numpy()
        return values
