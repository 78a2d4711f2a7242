"""Probabilities of mineral species from those of their varieties."""

from collections.abc import Sequence

import numpy as np

from gemkit.arrays import Array, Ints


def by_species(
    labels: Ints, probabilities: Array, varieties: Sequence[str], species: Sequence[str | None]
) -> tuple[Ints, Array]:
    """Labels [N] and probabilities [N, species] of mineral species, each the sum of its varieties.

    A variety whose species is open (None) is its own species. Species are in order of name.
    """
    own = [name or f"variety {variety}" for name, variety in zip(species, varieties, strict=True)]
    names, index = np.unique(own, return_inverse=True)
    return index[labels], probabilities @ np.eye(len(names))[index]
