"""The search finds exactly the pairs that comparing all codes with all finds."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.cleaning.hamming_search import mirrored_pairs_within, pairs_within


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
def test_the_search_is_exact(seed: int, words: int, radius: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    # A few centres with some bits flipped: equal codes, and pairs inside and outside the radius.
    centres = rng.integers(0, 2**64, (4, words), dtype=np.uint64)
    codes = centres[rng.integers(0, 4, count)]
    for code in codes:
        for _ in range(rng.integers(0, 10)):
            code[rng.integers(words)] ^= np.uint64(1) << np.uint64(rng.integers(64))
    pairs = pairs_within(codes, radius)
    assert [tuple(pair) for pair in pairs.tolist()] == sorted(all_pairs(codes, radius))


def test_mirrored_pairs() -> None:
    # 0 and 1 are similar, 2 is the mirror image of 0, and 3 is its own mirror image.
    codes = np.array([[0], [1], [2**40 - 1], [(2**30 - 1) << 34]], np.uint64)
    mirrored = np.array([[2**40 - 1], [2**40 - 2], [0], [(2**30 - 1) << 34]], np.uint64)
    straight, crossed = mirrored_pairs_within(codes, mirrored, 2)
    assert straight.tolist() == [[0, 1]]
    assert crossed.tolist() == [[0, 2], [1, 2]]
