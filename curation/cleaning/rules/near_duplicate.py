"""Copies of an image: rescaled, recompressed, cropped, framed, mirrored or slightly relit."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from curation.cleaning.grouping import choose_copies
from curation.cleaning.hamming_search import mirrored_pairs_within
from curation.cleaning.image_table import ImageTable
from curation.cleaning.rules import Reason
from gemkit.executor.base import worker_count
from gemkit.strict_model import StrictModel

PHASE = "copies"

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
    residual_variance: Annotated[float, Field(ge=0, le=1)] = 0.028
    colour: Annotated[float, Field(ge=0)] = 6.0


def find(images: ImageTable, settings: Settings) -> Iterator[Reason]:
    remaining = np.flatnonzero(images.decoded & ~images.dropped & (images.copy_of == np.arange(len(images))))
    codes, mirrored = images.hashes("phash")[remaining], images.hashes("phash_mirrored")[remaining]
    pairs, residual, shift = confirm(codes, mirrored, images.thumbnails[remaining], settings)
    images.duplicate_pairs.append(remaining[pairs])
    kept_for = choose_copies(pairs, images.rank[remaining])
    index_of = {tuple(pair): index for index, pair in enumerate(pairs.tolist())}
    for copy in np.flatnonzero(kept_for != np.arange(len(remaining))).tolist():
        best = int(kept_for[copy])
        index = index_of[min(copy, best), max(copy, best)]
        row, original = int(remaining[copy]), int(remaining[best])
        images.copy_of[row] = original
        detail = (
            f"a copy of {images.sha256[original]}, "
            f"colour distance {shift[index]:.1f} (at most {settings.colour:g})"
        )
        yield Reason(row, round(float(residual[index]), 4), settings.residual_variance, detail)


def confirm(
    codes: np.ndarray, mirrored: np.ndarray, thumbnails: np.ndarray, settings: Settings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pairs of images that are copies, each once, with their residual variance and colour distance."""
    from curation.cleaning.registration import (
        colour_distance,
        colour_patches,
        lightness,
        residual_variance,
    )

    patches, grey = colour_patches(thumbnails), lightness(thumbnails)

    def compare(pairs: np.ndarray, step: int) -> np.ndarray:
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
