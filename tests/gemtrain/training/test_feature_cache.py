"""Features of a frozen network are cached by image."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gemtrain.data.dataset import batch_of
from gemtrain.models.lookup import build
from gemtrain.training.feature_cache import frozen_features
from tests.helpers.textures import texture
from tests.helpers.training import CPU


def test_features_are_computed_once_and_do_not_depend_on_the_cache(
    gems: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = build("gemnet", 3, 48).eval()
    pixels = torch.from_numpy(np.stack([texture(0, n) for n in (1, 2, 1, 3)]))
    first = frozen_features(model.embed, "one", pixels, torch.tensor([0, 1, 2]), CPU, gems)
    assert first.shape == (3, 512) and torch.equal(first[0], first[2]) and not torch.equal(first[0], first[1])
    with torch.inference_mode():
        own = model.embed(batch_of(pixels, torch.arange(3)))
    assert torch.allclose(first.float(), own, rtol=1e-3, atol=1e-5)
    seen: list[int] = []

    def counted(images: torch.Tensor) -> torch.Tensor:
        seen.append(len(images.flatten(1).unique(dim=0)))
        return model.embed(images)

    again = frozen_features(counted, "one", pixels, torch.tensor([3, 1]), CPU, gems)
    assert seen == [1] and torch.equal(again[1], first[1])
    assert torch.equal(frozen_features(model.embed, "two", pixels, torch.tensor([3, 1]), CPU, gems), again)
