"""Copies with the same pixels in another file, of which only the metadata or the container differ."""

import numpy as np

from curation.cleaning.duplicates import Copies
from curation.cleaning.image_table import ImageTable
from curation.cleaning.reasons import Finding
from gemkit.arrays import Ints
from gemkit.strict_model import StrictModel


class Settings(StrictModel):
    """The rule has no settings."""


def find(images: ImageTable, rows: Ints, settings: Settings) -> Copies:
    """The copies among the images at these rows; the best of equal images is kept."""
    ranked = rows[np.argsort(images.rank[rows])]
    _, first, which = np.unique(
        images.hashes("pixel_hash")[ranked], axis=0, return_index=True, return_inverse=True
    )
    best = ranked[first[which.reshape(-1)]]
    copies = np.column_stack([best, ranked])[best != ranked]
    return Copies(copies, copies, [_finding(images, *pair) for pair in copies.tolist()])


def _finding(images: ImageTable, kept: int, copy: int) -> Finding:
    other = images.sha256[kept]
    return Finding(
        copy, f"the same pixels as {other}",
        measurement="differing_pixels", value=0, threshold=0, other_sha256=other,
    )  # fmt: skip
