"""Copies of a picture: rescaled, recompressed, cropped, framed, mirrored or in a little other light."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field

from curation.cleaning.grouping import choose_copies
from curation.cleaning.hamming_search import mirrored_pairs_within
from curation.cleaning.image_table import Inventory
from curation.cleaning.rules import Reason
from gemkit.executor.base import worker_count
from gemkit.strict_model import StrictModel

PHASE = "copies"

#: Pairs compared at once.
_COMPARED = 4096


class Settings(StrictModel):
    """How far two copies may differ.

    `radius`: bits of the 64-bit hash, which finds what to look at; then, of the one thumbnail laid onto the
    other, `unexplained`: share of the variance of lightness, which tells two stones of one cut and colour
    apart, and `colour`: root mean square distance in a* and b*.
    """

    radius: Annotated[int, Field(ge=0, le=16)] = 8
    unexplained: Annotated[float, Field(ge=0, le=1)] = 0.028
    colour: Annotated[float, Field(ge=0)] = 6.0


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    left = np.flatnonzero(images.decoded & ~images.dropped & (images.copy_of == np.arange(len(images))))
    codes, mirrored = images.codes("phash")[left], images.codes("phash_mirrored")[left]
    pairs, rest, shift = confirm(codes, mirrored, images.thumbnails[left], settings)
    images.alike.append(left[pairs])
    kept_for = choose_copies(pairs, images.rank[left])
    found = {tuple(pair): number for number, pair in enumerate(pairs.tolist())}
    for copy in np.flatnonzero(kept_for != np.arange(len(left))).tolist():
        best = int(kept_for[copy])
        number = found[min(copy, best), max(copy, best)]
        row, original = int(left[copy]), int(left[best])
        images.copy_of[row] = original
        detail = (
            f"a copy of {images.sha256[original]}, colour off by {shift[number]:.1f} of {settings.colour:g}"
        )
        yield Reason(row, round(float(rest[number]), 4), settings.unexplained, detail)


def confirm(
    codes: np.ndarray, mirrored: np.ndarray, thumbnails: np.ndarray, settings: Settings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of pictures that are copies, each once; of each what is unexplained and how far colours are."""
    from curation.cleaning.registration import colour_distance, colour_patches, lightness, unexplained

    patches, grey = colour_patches(thumbnails), lightness(thumbnails)

    def compare(pairs: np.ndarray, step: int) -> np.ndarray:
        turned = np.s_[:, :, ::step]
        one, other = pairs.T
        shift = colour_distance(patches[one], patches[other][turned])
        near = shift <= settings.colour
        one, other, shift = one[near], other[near], shift[near]
        share = unexplained(grey[one], grey[other][turned], settings.unexplained)
        return np.column_stack([one, other, share, shift])[share <= settings.unexplained]

    kept = [np.empty((0, 4))]
    with ThreadPoolExecutor(worker_count()) as threads:  # NumPy lets go of the interpreter while it computes
        for pairs, step in zip(mirrored_pairs_within(codes, mirrored, settings.radius), (1, -1), strict=True):
            pieces = [pairs[start : start + _COMPARED] for start in range(0, len(pairs), _COMPARED)]
            kept += threads.map(partial(compare, step=step), pieces)
    found = np.concatenate(kept)
    # A stone that is its own mirror image may be found twice.
    pairs, first = np.unique(found[:, :2].astype(np.int64), axis=0, return_index=True)
    return pairs, found[first, 2], found[first, 3]
