"""Exact search for all pairs of hashes within a Hamming distance."""

import itertools
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt

from gemkit.arrays import Ints
from gemkit.executor.base import worker_count

#: Hashes, count × words.
Codes = npt.NDArray[np.uint64]

#: Maximum bits of a band's key; there is a table of all keys.
_BAND_BITS = 18

#: Pairs of codes compared per batch.
_BATCH = 1 << 16


def pairs_within(codes: Codes, radius: int) -> Ints:
    """All pairs (i < j) of codes at a Hamming distance of at most `radius`, as sorted rows of shape (n, 2).

    `codes`: count × words, uint64. The bits are cut into bands, each with its own radius, so that two codes
    within `radius` are within a band's radius in at least one band (pigeonhole; Norouzi, Punjani, Fleet,
    "Fast Search in Hamming Space with Multi-Index Hashing", CVPR 2012). Only codes that agree in a band up
    to its radius are compared. The result is exact, with far fewer comparisons than all pairs.
    """
    if len(codes) < 2:
        return np.empty((0, 2), np.int64)
    codes = codes.reshape(-1) if codes.shape[1] == 1 else codes
    distinct, inverse, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    pairs = _distinct_pairs(distinct.reshape(len(distinct), -1), radius)
    repeated = np.flatnonzero(counts > 1)
    pairs = np.concatenate([pairs, np.column_stack([repeated, repeated])])
    return _expand(pairs, inverse.reshape(-1), counts)


def _distinct_pairs(codes: Codes, radius: int) -> Ints:
    found = [np.empty(0, np.int64)]
    with ThreadPoolExecutor(worker_count()) as threads:  # NumPy releases the interpreter lock
        for start, end, flips in _bands(len(codes), 64 * codes.shape[1], radius):
            keys = _keys(codes, start, end)
            order = np.argsort(keys, kind="stable")
            band = _Band(codes[order], keys[order], end - start)
            for one, other in threads.map(partial(band.pairs, radius), _masks(end - start, flips)):
                first, second = order[one], order[other]
                found.append(np.minimum(first, second) * len(codes) + np.maximum(first, second))
    numbers = _sorted_unique(np.concatenate(found))
    return np.column_stack(np.divmod(numbers, len(codes)))


def _sorted_unique(numbers: Ints) -> Ints:
    """The distinct numbers, sorted; several times as fast as np.unique where nearly all are distinct."""
    numbers = np.sort(numbers)
    return numbers[np.diff(numbers, prepend=-1) > 0]


def _bands(count: int, bits: int, radius: int) -> list[tuple[int, int, int]]:
    """(first bit, end, radius) of each band, for the number of bands that needs the least work."""

    def cut(bands: int) -> list[tuple[int, int, int]]:
        edges = np.linspace(0, bits, bands + 1).astype(int)
        # The radii plus one each sum to radius + 1: `radius` differing bits cannot exceed all of them.
        flips = [(radius + 1 + band) // bands - 1 for band in range(bands)]
        return [
            (int(start), min(int(end), int(start) + _BAND_BITS), flip)
            for (start, end), flip in zip(itertools.pairwise(edges), flips, strict=True)
        ]

    def work(bands: list[tuple[int, int, int]]) -> float:
        return sum(
            math.comb(end - start, flipped) * (1 + count / (1 << (end - start)))
            for start, end, flips in bands
            for flipped in range(flips + 1)
        )

    return min((cut(bands) for bands in range(1, min(bits, radius + 1) + 1)), key=work)


def _keys(codes: Codes, start: int, end: int) -> Ints:
    """Bits `start` to `end` of each code, as integers; bit 0 is the lowest of the first word."""
    word, shift = divmod(start, 64)
    keys = codes[:, word] >> np.uint64(shift)
    if shift and end > 64 * (word + 1):
        keys = keys | (codes[:, word + 1] << np.uint64(64 - shift))
    return (keys & np.uint64((1 << (end - start)) - 1)).astype(np.int64)


def _masks(bits: int, flips: int) -> Iterator[int]:
    """All integers of `bits` bits of which at most `flips` are set."""
    for flipped in range(flips + 1):
        for places in itertools.combinations(range(bits), flipped):
            yield sum(1 << place for place in places)


class _Band:
    """Codes sorted by their key in one band, and the start of each key of `bits` bits."""

    def __init__(self, codes: Codes, keys: Ints, bits: int):
        self._columns = np.ascontiguousarray(codes.T)
        self._keys = keys
        self._starts = np.searchsorted(keys, np.arange((1 << bits) + 1))

    def pairs(self, radius: int, mask: int) -> tuple[Ints, Ints]:
        """Indices of the pairs within the radius whose keys differ by the mask."""
        if mask:
            # Each such pair of keys is visited once: from the key without the mask's highest bit.
            one = np.flatnonzero(~self._keys >> (mask.bit_length() - 1) & 1)
            partners = self._keys[one] ^ mask
            first, counts = self._starts[partners], self._starts[partners + 1] - self._starts[partners]
        else:
            one = np.arange(len(self._keys))
            first, counts = one + 1, self._starts[self._keys + 1] - one - 1
        ends = np.cumsum(counts)
        edges = [0, *np.searchsorted(ends, np.arange(_BATCH, ends[-1:].sum(), _BATCH)), len(one)]
        found = [
            self._within(radius, one[start:end], first[start:end], counts[start:end])
            for start, end in itertools.pairwise(edges)
        ]
        left, right = zip(*found, strict=True)
        return np.concatenate(left), np.concatenate(right)

    def _within(self, radius: int, one: Ints, first: Ints, counts: Ints) -> tuple[Ints, Ints]:
        """The pairs within the radius of each code in `one` and the `counts` codes from `first` on."""
        left = np.repeat(one, counts)
        right = np.arange(len(left)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
        distance = np.zeros(len(left), np.uint16)
        for column in self._columns:
            distance = distance + np.bitwise_count(column[left] ^ column[right])
            near = np.flatnonzero(distance <= radius)
            left, right, distance = left[near], right[near], distance[near]
        return left, right


def _expand(pairs: Ints, inverse: Ints, counts: Ints) -> Ints:
    """Expand pairs of distinct codes to pairs of the images that have them."""
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
    in_order: Ints = images[np.lexsort((images[:, 1], images[:, 0]))]
    return in_order


def hamming(codes: Codes, pairs: Ints) -> Ints:
    """Hamming distance of each pair; `codes`: count × words, uint64."""
    distances: Ints = np.bitwise_count(codes[pairs[:, 0]] ^ codes[pairs[:, 1]]).sum(axis=1, dtype=np.int64)
    return distances


def mirrored_pairs_within(codes: Codes, mirrored: Codes, radius: int) -> tuple[Ints, Ints]:
    """Pairs of images within the radius, and pairs within it when one image is mirrored.

    `mirrored` holds the code of each image's mirror image. A pair may be in both; rows as in `pairs_within`.
    """
    count = len(codes)
    pairs = pairs_within(np.concatenate([codes, mirrored]), radius)
    straight = pairs[pairs[:, 1] < count]
    crossed = pairs[(pairs[:, 0] < count) & (pairs[:, 1] >= count)] - np.array([0, count])
    crossed = np.sort(crossed[crossed[:, 0] != crossed[:, 1]], axis=1)
    return straight, np.column_stack(np.divmod(_sorted_unique(crossed[:, 0] * count + crossed[:, 1]), count))
