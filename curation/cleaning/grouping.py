"""Group images that belong together, and choose which of several copies to keep."""

from collections.abc import Iterable

import numpy as np


def choose_copies(pairs: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """For each image the index of the better image it is a copy of, its own if it is kept.

    Images are visited from the best rank (0) on. Each becomes a copy of the best kept image that it forms a
    pair with, so an image is never dropped over a chain: it forms a pair with the image kept instead.
    """
    kept_for = np.arange(len(rank))
    better = np.where(rank[pairs[:, 0]] < rank[pairs[:, 1]], pairs[:, 0], pairs[:, 1])
    worse = pairs.sum(axis=1) - better
    order = np.lexsort((rank[better], rank[worse]))
    for one, other in zip(better[order], worse[order], strict=True):
        if kept_for[one] == one and kept_for[other] == other:
            kept_for[other] = one
    return kept_for


class UnionFind:
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

    def union(self, nodes: Iterable[int]) -> None:
        """Merge the components of all these nodes."""
        first: int | None = None
        for node in nodes:
            root = self.find(node)
            if first is None:
                first = root
            elif root != first:
                first, root = min(first, root), max(first, root)
                self._parents[root] = first
