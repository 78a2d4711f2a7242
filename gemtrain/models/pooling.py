"""Poolings that halve a map by a rule they learn, instead of the maximum or average of 2×2 regions.

Mixed, gated and tree pooling are those of Lee, Gallagher and Tu (2016), Generalizing Pooling Functions in
Convolutional Neural Networks. An odd last row or column is dropped, as in the usual poolings.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class LearntPool2d(nn.Module):
    """Any of the poolings below: maps [N, C, H, W] to [N, C, H // 2, W // 2]."""


class MixedPool2d(LearntPool2d):
    """a · maximum + (1 − a) · average with a learnt share a: one for all maps, or one for each channel.

    a = sigmoid(`logit`) stays between 0 and 1; it starts at `share`.
    """

    def __init__(self, channels: int | None = None, share: float = 0.5):
        super().__init__()
        shape = () if channels is None else (channels, 1, 1)
        self.logit = nn.Parameter(torch.full(shape, share).logit())

    def forward(self, maps: Tensor) -> Tensor:
        return _mix(self.logit.sigmoid(), maps)


class GatedPool2d(LearntPool2d):
    """a · maximum + (1 − a) · average with a = sigmoid(w · x) of each region x; initially the even mix."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2, 2))

    def forward(self, maps: Tensor) -> Tensor:
        return _mix(_responses(maps, self.weight).sigmoid(), maps)


class TreePool2d(LearntPool2d):
    """A tree of two levels: a · (v₁ · x) + (1 − a) · (v₂ · x) with a = sigmoid(w · x) of each region x.

    Both leaves v start near the average, but differ, so that the gate w has a choice to learn.
    """

    def __init__(self) -> None:
        super().__init__()
        self.leaves = nn.Parameter(0.25 + 0.1 * torch.randn(2, 2, 2))
        self.weight = nn.Parameter(torch.zeros(2, 2))

    def forward(self, maps: Tensor) -> Tensor:
        first, second = (_responses(maps, leaf) for leaf in self.leaves)
        return second + _responses(maps, self.weight).sigmoid() * (first - second)


class StripPool2d(LearntPool2d):
    """The maximum of each region, and the averages over the whole rows and columns that contain it.

    The strips are those of Hou, Zhang, Cheng and Feng (2020), Strip Pooling. The three are added with shares
    learnt for each channel, softmax(`logits`), initially a third each.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(3, channels, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        average = functional.avg_pool2d(maps, 2)
        rows, columns = average.mean(3, keepdim=True), average.mean(2, keepdim=True)
        shares = self.logits.softmax(0).to(maps.dtype)
        return shares[0] * functional.max_pool2d(maps, 2) + shares[1] * rows + shares[2] * columns


def _mix(share: Tensor, maps: Tensor) -> Tensor:
    average = functional.avg_pool2d(maps, 2)
    return average + share.to(maps.dtype) * (functional.max_pool2d(maps, 2) - average)


def _responses(maps: Tensor, weight: Tensor) -> Tensor:
    """The product of one 2×2 weight with every region of every channel."""
    channels = maps.shape[1]
    return functional.conv2d(maps, weight.expand(channels, 1, 2, 2), stride=2, groups=channels)
