"""Features of pictures that were never seen: each class in a direction of its own, with noise."""

from collections.abc import Sequence

import numpy as np

from curation.content.fit import Examples
from curation.tables import FEATURE_LENGTH


def examples_of(
    classes: Sequence[str], sources: int, each: int, seed: int = 0, noise: float = 0.5
) -> Examples:
    """`each` pictures of each class in each source, with one view."""
    random = np.random.default_rng(seed)
    names = [name for name in classes for _ in range(sources * each)]
    source = [f"shop {number}" for _ in classes for number in range(sources) for _ in range(each)]
    return Examples(np.stack([features_of(name, random, noise) for name in names])[:, None], names, source)


def features_of(name: str, random: np.random.Generator, noise: float) -> np.ndarray:
    """Features of a picture of a class."""
    direction = np.random.default_rng(list(name.encode())).exponential(1, FEATURE_LENGTH)
    return (direction * random.exponential(1, FEATURE_LENGTH) ** noise).astype(np.float16)
