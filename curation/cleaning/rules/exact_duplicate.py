"""Copies with the same pixels in another file, of which only the metadata or the container differ."""

from collections.abc import Iterator

import numpy as np

from curation.cleaning.image_table import ImageTable
from curation.cleaning.rules import Reason
from gemkit.strict_model import StrictModel

PHASE = "copies"


class Settings(StrictModel):
    pass


def find(images: ImageTable, settings: Settings) -> Iterator[Reason]:
    remaining = np.flatnonzero(images.decoded & ~images.dropped)
    remaining = remaining[np.argsort(images.rank[remaining])]
    _, first, which = np.unique(
        images.hashes("pixel_hash")[remaining], axis=0, return_index=True, return_inverse=True
    )
    best = remaining[first[which.reshape(-1)]]
    copies = best != remaining
    images.copy_of[remaining[copies]] = best[copies]
    images.duplicate_pairs.append(np.column_stack([best[copies], remaining[copies]]))
    for row, kept in zip(remaining[copies].tolist(), best[copies].tolist(), strict=True):
        yield Reason(row, 0, 0, f"the same pixels as {images.sha256[kept]}")
