"""Group images that belong together, and tell which belong to no product."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from curation.cleaning.duplicates import Duplicates
from curation.cleaning.image_table import ImageTable
from gemkit.arrays import Bools

#: An image listed by more products than this is a stock photo: it belongs to no product and no group.
STOCK_PRODUCTS = 3


def stock_photos(images: ImageTable, duplicates: Duplicates) -> Bools:
    """Which images are stock photos: with their copies, more than STOCK_PRODUCTS products list them."""
    stock = np.zeros(len(images), bool)
    for rows in duplicates.clusters:
        if len({product for row in rows for product in images.products[row]}) > STOCK_PRODUCTS:
            stock[[row for row in rows if images.products[row]]] = True
    return stock


def group_images(images: ImageTable, joins: Bools, duplicates: Duplicates) -> list[str]:
    """The group of each image: the smallest sha256 of the images that products and duplicates join.

    Only the images in `joins` join others.
    """
    groups = UnionFind(len(images))
    members: defaultdict[str, list[int]] = defaultdict(list)
    for row in np.flatnonzero(joins).tolist():
        for product in images.products[row]:
            members[product].append(row)
    for rows in members.values():
        groups.union(rows)
    for pair in duplicates.pairs[joins[duplicates.pairs].all(axis=1)].tolist():
        groups.union(pair)
    return [images.sha256[groups.find(row)] for row in range(len(images))]


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
