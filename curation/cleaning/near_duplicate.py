"""Copies of an image: rescaled, recompressed, cropped, framed, mirrored or slightly relit."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from curation.cleaning.duplicates import Copies, choose_copies
from curation.cleaning.hamming_search import Codes, mirrored_pairs_within
from curation.cleaning.image_table import ImageTable
from curation.cleaning.reasons import Finding
from gemkit.arrays import Bytes, Floats, Ints
from gemkit.executor.base import worker_count
from gemkit.strict_model import Share, StrictModel

#: Pairs compared per batch.
_BATCH = 4096


class Settings(StrictModel):
    """How far two copies may differ.

    `radius`: bits of the 64-bit hash, which selects the candidates. Then, after registration of the two
    thumbnails: `residual_variance`: share of the variance of lightness, which tells apart two stones of one
    cut and colour; and `colour`: root mean square distance in a* and b*.
    """

    renamed_keys: ClassVar = {"unexplained": "residual_variance"}

    radius: Annotated[int, Field(ge=0, le=16)] = 8
    residual_variance: Share = 0.028
    colour: Annotated[float, Field(ge=0)] = 6.0


def find(images: ImageTable, rows: Ints, settings: Settings) -> Copies:
    """The copies among the images at these rows; of several the best is kept."""
    codes, mirrored = images.hashes("phash")[rows], images.hashes("phash_mirrored")[rows]
    pairs, residual, shift = confirm(codes, mirrored, images.thumbnails[rows], settings)
    kept_for = choose_copies(pairs, images.rank[rows])
    index_of = {tuple(pair): index for index, pair in enumerate(pairs.tolist())}
    copies = np.flatnonzero(kept_for != np.arange(len(rows)))
    findings = []
    for copy, best in zip(copies.tolist(), kept_for[copies].tolist(), strict=True):
        index = index_of[min(copy, best), max(copy, best)]
        other = images.sha256[rows[best]]
        findings.append(
            Finding(
                int(rows[copy]),
                f"a copy of {other}, colour distance {shift[index]:.1f} (at most {settings.colour:g})",
                measurement="residual_variance",
                value=round(float(residual[index]), 4),
                threshold=settings.residual_variance,
                other_sha256=other,
            )
        )
    return Copies(rows[pairs], np.column_stack([rows[kept_for[copies]], rows[copies]]), findings)


def confirm(
    codes: Codes, mirrored: Codes, thumbnails: Bytes, settings: Settings
) -> tuple[Ints, Floats, Floats]:
    """The pairs of images that are copies, each once, with their residual variance and colour distance.

    `codes`, `mirrored`: count × words, the hash of each image and of its mirror image; `thumbnails`: count ×
    THUMBNAIL × THUMBNAIL × 3, RGB. The pairs are indices, n × 2.
    """
    from curation.cleaning.registration import (
        colour_distance,
        colour_patches,
        lightness,
        residual_variance,
    )

    patches, grey = colour_patches(thumbnails), lightness(thumbnails)

    def compare(pairs: Ints, step: int) -> Floats:
        flipped = np.s_[:, :, ::step]
        one, other = pairs.T
        shift = colour_distance(patches[one], patches[other][flipped])
        near = shift <= settings.colour
        one, other, shift = one[near], other[near], shift[near]
        residual = residual_variance(grey[one], grey[other][flipped], settings.residual_variance)
        return np.column_stack([one, other, residual, shift])[residual <= settings.residual_variance]

    kept = [np.empty((0, 4))]
    with ThreadPoolExecutor(worker_count()) as threads:  # NumPy releases the interpreter lock
        for pairs, step in zip(mirrored_pairs_within(codes, mirrored, settings.radius), (1, -1), strict=True):
            batches = [pairs[start : start + _BATCH] for start in range(0, len(pairs), _BATCH)]
            kept += threads.map(partial(compare, step=step), batches)
    found = np.concatenate(kept)
    # A stone that is its own mirror image may be found twice.
    pairs, first = np.unique(found[:, :2].astype(np.int64), axis=0, return_index=True)
    return pairs, found[first, 2], found[first, 3]
