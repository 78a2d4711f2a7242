"""All pairs of near-equal hashes, exactly, and what follows from pairs: the copies of each image, groups."""

import itertools
from collections.abc import Iterable

import numpy as np


def pairs_within(codes: np.ndarray, radius: int) -> np.ndarray:
    """All pairs (i < j) of codes at a Hamming distance of at most `radius`, as sorted rows of shape (n, 2).

    `codes`: count × words, uint64. Two codes that differ in at most r bits agree in at least one of r + 1
    bands of bits (pigeonhole), so only codes that share a band are compared: exact, and far from all pairs.
    """
    if len(codes) < 2:
        return np.empty((0, 2), np.int64)
    distinct, inverse, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    pairs = _distinct_pairs(distinct, radius)
    repeated = np.flatnonzero(counts > 1)
    pairs = np.concatenate([pairs, np.column_stack([repeated, repeated])])
    return _expand(pairs, inverse.reshape(-1), counts)


def _distinct_pairs(codes: np.ndarray, radius: int) -> np.ndarray:
    bits = np.unpackbits(np.ascontiguousarray(codes).view(np.uint8).reshape(len(codes), -1), axis=1)
    # A band of more than 48 bits selects no better than one of 48.
    edges = np.linspace(0, bits.shape[1], radius + 2).astype(int)
    found = [np.empty(0, np.int64)]
    for start, end in itertools.pairwise(edges):
        end = min(end, start + 48)
        keys = bits[:, start:end] @ (1 << np.arange(end - start, dtype=np.int64))
        found.append(_pairs_of_band(codes, keys, radius))
    numbers = np.unique(np.concatenate(found))
    return np.column_stack([numbers // len(codes), numbers % len(codes)])


def _pairs_of_band(codes: np.ndarray, keys: np.ndarray, radius: int) -> np.ndarray:
    """Pairs within the radius among codes of equal key, each as the number i * count + j with i < j."""
    order = np.argsort(keys, kind="stable")
    keys, codes = keys[order], codes[order]
    found = [np.empty(0, np.int64)]
    for step in range(1, len(keys)):
        equal = keys[step:] == keys[:-step]
        if not equal.any():
            break
        distance = np.bitwise_count(codes[step:] ^ codes[:-step]).sum(axis=1, dtype=np.int64)
        first = np.flatnonzero(equal & (distance <= radius))
        one, other = order[first], order[first + step]
        found.append(np.minimum(one, other) * len(keys) + np.maximum(one, other))
    return np.concatenate(found)


def _expand(pairs: np.ndarray, inverse: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Pairs of distinct codes → pairs of the images that have them."""
    members = np.argsort(inverse, kind="stable")
    starts = np.cumsum(counts) - counts
    first, second = pairs.T
    sizes = counts[first] * counts[second]
    number = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    first, second = np.repeat(first, sizes), np.repeat(second, sizes)
    one = members[starts[first] + number // counts[second]]
    other = members[starts[second] + number % counts[second]]
    once = (first != second) | (one < other)
    images = np.column_stack([np.minimum(one, other), np.maximum(one, other)])[once]
    return images[np.lexsort((images[:, 1], images[:, 0]))]


def hamming(codes: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Hamming distance of each pair; `codes`: count × words, uint64."""
    return np.bitwise_count(codes[pairs[:, 0]] ^ codes[pairs[:, 1]]).sum(axis=1, dtype=np.int64)


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
