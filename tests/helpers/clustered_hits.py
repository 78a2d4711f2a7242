"""Simulated predictions for images in groups."""

import numpy as np


def clustered(rng: np.random.Generator, groups: int = 100) -> tuple[np.ndarray, list[str]]:
    """Hits of images whose groups share a hit rate, 0.6 on average over images, and their groups."""
    sizes = rng.integers(1, 9, groups)
    chance = rng.beta(0.6, 0.4, groups).repeat(sizes)
    return rng.random(len(chance)) < chance, np.arange(groups).repeat(sizes).astype(str).tolist()
