"""Connected components."""

import pytest

from curation.cleaning.grouping import UnionFind


@pytest.mark.parametrize("order", [1, -1])
def test_a_component_is_identified_by_its_smallest_node(order: int) -> None:
    components = UnionFind(6)
    for nodes in [[4, 5], [1, 4], [0, 2]][::order]:
        components.union(nodes)
    assert [components.find(node) for node in range(6)] == [0, 1, 0, 3, 1, 1]
