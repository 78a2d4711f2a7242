"""Copies with the same pixels in another file: only the metadata or the container differ."""

from collections.abc import Iterator

import numpy as np

from curation.inventory import Inventory
from curation.rules import Reason, RuleSettings

PHASE = "copies"


class Settings(RuleSettings):
    pass


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    best: dict[str, int] = {}
    pixels = images.words("pixel_sha256")
    left = np.flatnonzero(images.decoded & ~images.dropped)
    for row in left[np.argsort(images.rank[left])]:
        first = best.setdefault(pixels[row], int(row))
        if first != row:
            images.copy_of[row] = first
            images.alike.append(np.array([[first, row]]))
            yield Reason(int(row), 0, 0, f"the same pixels as {images.sha256[first]}")
