"""Pairs of near-equal hashes are exactly those that comparing all with all gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.duplicates import Components, choose_copies, pairs_within


def all_pairs(codes: np.ndarray, radius: int) -> set[tuple[int, int]]:
    return {
        (i, j)
        for i in range(len(codes))
        for j in range(i + 1, len(codes))
        if np.bitwise_count(codes[i] ^ codes[j]).sum() <= radius
    }


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    words=st.sampled_from([1, 4]),
    radius=st.integers(0, 12),
    count=st.integers(0, 40),
)
def test_pairs_are_those_of_comparing_all(seed: int, words: int, radius: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    # A few centres with some bits flipped: equal codes, pairs on both sides of the radius.
    centres = rng.integers(0, 2**64, (4, words), dtype=np.uint64)
    codes = centres[rng.integers(0, 4, count)]
    for code in codes:
        for _ in range(rng.integers(0, 10)):
            code[rng.integers(words)] ^= np.uint64(1) << np.uint64(rng.integers(64))
    pairs = pairs_within(codes, radius)
    assert [tuple(pair) for pair in pairs.tolist()] == sorted(all_pairs(codes, radius))


def test_no_copy_over_a_chain() -> None:
    # 0-1-2-3 in a chain, best first: 2 pairs with 1, which is a copy itself, so it stays; 3 is a copy of 2.
    pairs = np.array([[0, 1], [1, 2], [2, 3]])
    assert choose_copies(pairs, np.arange(4)).tolist() == [0, 0, 2, 2]


def test_the_best_rank_stays() -> None:
    pairs = np.array([[0, 1], [0, 2], [1, 2]])
    assert choose_copies(pairs, np.array([2, 1, 0])).tolist() == [2, 2, 2]


@pytest.mark.parametrize("order", [1, -1])
def test_components_are_named_by_their_smallest_node(order: int) -> None:
    components = Components(6)
    for nodes in [[4, 5], [1, 4], [0, 2]][::order]:
        components.join(nodes)
    assert [components.find(node) for node in range(6)] == [0, 1, 0, 3, 1, 1]
