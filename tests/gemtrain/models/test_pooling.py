"""Learnt poolings against slow loops and by their limits."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn


@pytest.fixture
def maps() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 3, 7, 6, dtype=torch.float64)


def regions(maps: Tensor) -> Iterator[tuple[tuple[int, ...], Tensor]]:
    """Every 2×2 region one by one, and its place in the pooled maps."""
    for image, channel, row, column in np.ndindex(len(maps), maps.shape[1], 3, 3):
        rows, columns = slice(2 * row, 2 * row + 2), slice(2 * column, 2 * column + 2)
        yield (image, channel, row, column), maps[image, channel, rows, columns]


@torch.no_grad()
def test_mixed_pooling_lies_between_maximum_and_average(maps: Tensor) -> None:
    from gemtrain.models.pooling import MixedPool2d

    maximum, average = nn.MaxPool2d(2)(maps), nn.AvgPool2d(2)(maps)
    for share in (0.5, 0.9):
        assert torch.allclose(MixedPool2d(share=share)(maps), share * maximum + (1 - share) * average)
    pool = MixedPool2d(3)
    pool.logit[:, 0, 0] = torch.tensor([-40.0, 0.0, 40.0])
    mixed = pool(maps)
    assert torch.allclose(mixed[:, 0], average[:, 0]) and torch.allclose(mixed[:, 2], maximum[:, 2])
    assert ((average[:, 1] < mixed[:, 1]) & (mixed[:, 1] < maximum[:, 1])).all()


@torch.no_grad()
def test_gated_and_tree_pooling_against_a_slow_loop(maps: Tensor) -> None:
    from gemtrain.models.pooling import GatedPool2d, TreePool2d

    gated, tree = GatedPool2d().double(), TreePool2d().double()
    for weight in (gated.weight, tree.weight, tree.leaves):
        nn.init.normal_(weight)
    by_gate, by_tree = gated(maps), tree(maps)
    assert by_gate.shape == by_tree.shape == (2, 3, 3, 3)
    for place, region in regions(maps):
        share = torch.sigmoid((gated.weight * region).sum())
        assert by_gate[place] == pytest.approx((share * region.max() + (1 - share) * region.mean()).item())
        share = torch.sigmoid((tree.weight * region).sum())
        first, second = ((leaf * region).sum() for leaf in tree.leaves)
        assert by_tree[place] == pytest.approx((share * first + (1 - share) * second).item())


@torch.no_grad()
def test_strip_pooling_sees_whole_rows_and_columns(maps: Tensor) -> None:
    from gemtrain.models.pooling import StripPool2d

    pool = StripPool2d(3).double()
    nn.init.normal_(pool.logits)
    pooled = pool(maps)
    for (image, channel, row, column), region in regions(maps):
        strips = maps[image, channel, :6]
        parts = [
            region.max(),
            strips[2 * row : 2 * row + 2].mean(),
            strips[:, 2 * column : 2 * column + 2].mean(),
        ]
        shares = pool.logits[:, channel, 0, 0].softmax(0)
        expected = sum(share * part for share, part in zip(shares, parts, strict=True))
        assert pooled[image, channel, row, column] == pytest.approx(float(expected))
