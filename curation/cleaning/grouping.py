"""Groups of images that belong together, and which of several copies stays."""

from collections.abc import Iterable

import numpy as np


def choose_copies(pairs: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """For each image the better one that it is a copy of, itself where it stays.

    From the best rank (0) on, each image is a copy of the best one that stays and that it forms a pair with.
    No image is dropped over a chain of others: what stays for it is a pair of its own.
    """
    kept_for = np.arange(len(rank))
    better = np.where(rank[pairs[:, 0]] < rank[pairs[:, 1]], pairs[:, 0], pairs[:, 1])
    worse = pairs.sum(axis=1) - better
    order = np.lexsort((rank[better], rank[worse]))
    for one, other in zip(better[order], worse[order], strict=True):
        if kept_for[one] == one and kept_for[other] == other:
            kept_for[other] = one
    return kept_for


class Components:
    """Connected components of `count` nodes (union-find with path halving)."""

    def __init__(self, count: int):
        self._parents = list(range(count))

    def find(self, node: int) -> int:
        """The smallest node of the component."""
        parents = self._parents
        while parents[node] != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    def join(self, nodes: Iterable[int]) -> None:
        """Put all these nodes into one component."""
        first: int | None = None
        for node in nodes:
            root = self.find(node)
            if first is None:
                first = root
            elif root != first:
                first, root = min(first, root), max(first, root)
                self._parents[root] = first
