"""Copies of a picture that were rescaled, recompressed or converted: equal in structure and in colour."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from curation.duplicates import choose_copies, hamming, pairs_within
from curation.inventory import Inventory
from curation.rules import Reason, RuleSettings

PHASE = "copies"


class Settings(RuleSettings):
    """How far two copies may differ.

    `radius`: bits of the 64-bit hash; `colour`: distance in Lab of the mean colour of the central half;
    `fine`: bits of the 256-bit hash, which tells two stones of one cut and colour apart.
    """

    radius: Annotated[int, Field(ge=0, le=16)] = 8
    colour: Annotated[float, Field(ge=0)] = 6.0
    fine: Annotated[int, Field(ge=0, le=256)] = 32


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    left = np.flatnonzero(images.decoded & ~images.dropped & (images.copy_of == np.arange(len(images))))
    codes, fine = images.codes("phash")[left], images.codes("phash256")[left]
    colours = images.colours("centre_lab")[left]
    pairs = pairs_within(codes, settings.radius)
    pairs = pairs[hamming(fine, pairs) <= settings.fine]
    distance = np.linalg.norm(colours[pairs[:, 0]] - colours[pairs[:, 1]], axis=1)
    pairs = pairs[distance <= settings.colour]
    images.alike.append(left[pairs])
    kept_for = choose_copies(pairs, images.rank[left])
    copies = np.flatnonzero(kept_for != np.arange(len(left)))
    bits = hamming(codes, np.column_stack([copies, kept_for[copies]]))
    for copy, bit_count in zip(copies, bits, strict=True):
        row, best = int(left[copy]), int(left[kept_for[copy]])
        images.copy_of[row] = best
        shift = np.linalg.norm(colours[copy] - colours[kept_for[copy]])
        detail = f"a copy of {images.sha256[best]}, Lab distance {shift:.1f} of {settings.colour:g}"
        yield Reason(row, float(bit_count), settings.radius, detail)
