"""A last layer fitted on features in half precision works on those in full precision."""

import pytest
import torch
from torch import Tensor, nn

from gemtrain.training.linear_probe import fit_head


def examples(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two features that separate three classes, and eight that are constant."""
    labels = torch.arange(count) % 3
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    informative = corners[labels] + 0.1 * torch.randn(count, 2, generator=generator)
    constant = torch.linspace(0, 1, 8).sqrt().expand(count, 8)
    return torch.cat([informative, constant], dim=1), labels


@pytest.mark.heavy
@pytest.mark.parametrize("kind", ["linear", "svm"])
def test_a_feature_that_does_not_vary_gets_no_weight(kind: str) -> None:
    generator, head = torch.Generator().manual_seed(0), nn.Linear(10, 3)
    (features, labels), (seen, answers) = examples(100_000, generator), examples(60, generator)
    fit_head(head, kind, (features.half(), labels), (seen.half(), answers), seed=0)
    assert not head.weight[:, 2:].any()
    assert (head(seen).argmax(1) == answers).float().mean() > 0.95
