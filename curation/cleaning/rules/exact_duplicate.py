"""Copies with the same pixels in another file: only the metadata or the container differ."""

from collections.abc import Iterator

import numpy as np

from curation.cleaning.image_table import Inventory
from curation.cleaning.rules import Reason
from gemkit.strict_model import StrictModel

PHASE = "copies"


class Settings(StrictModel):
    pass


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    left = np.flatnonzero(images.decoded & ~images.dropped)
    left = left[np.argsort(images.rank[left])]
    _, first, which = np.unique(
        images.codes("pixel_hash")[left], axis=0, return_index=True, return_inverse=True
    )
    best = left[first[which.reshape(-1)]]
    copies = best != left
    images.copy_of[left[copies]] = best[copies]
    images.alike.append(np.column_stack([best[copies], left[copies]]))
    for row, kept in zip(left[copies].tolist(), best[copies].tolist(), strict=True):
        yield Reason(row, 0, 0, f"the same pixels as {images.sha256[kept]}")
