"""Which of several copies is kept, and connected components."""

import numpy as np
import pytest

from curation.cleaning.grouping import UnionFind, choose_copies


def test_an_image_is_not_dropped_over_a_chain_of_copies() -> None:
    # 0-1-2-3 is a chain, best first. 2 pairs only with 1, itself a copy, so 2 is kept; 3 is its copy.
    pairs = np.array([[0, 1], [1, 2], [2, 3]])
    assert choose_copies(pairs, np.arange(4)).tolist() == [0, 0, 2, 2]


def test_the_best_rank_is_kept() -> None:
    pairs = np.array([[0, 1], [0, 2], [1, 2]])
    assert choose_copies(pairs, np.array([2, 1, 0])).tolist() == [2, 2, 2]


@pytest.mark.parametrize("order", [1, -1])
def test_a_component_is_identified_by_its_smallest_node(order: int) -> None:
    components = UnionFind(6)
    for nodes in [[4, 5], [1, 4], [0, 2]][::order]:
        components.union(nodes)
    assert [components.find(node) for node in range(6)] == [0, 1, 0, 3, 1, 1]
