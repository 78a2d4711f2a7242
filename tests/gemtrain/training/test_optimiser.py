"""Weights that balance the classes."""

import torch

from gemtrain.training.optimiser import balancing_weights


def test_class_weights_make_all_classes_count_the_same() -> None:
    weights = balancing_weights(torch.tensor([0] * 5 + [1] * 24 + [2] * 24))
    assert torch.allclose(weights * torch.tensor([5.0, 24, 24]), torch.tensor(53 / 3))
