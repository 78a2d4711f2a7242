"""The outputs of a model for images."""

from pathlib import Path

import numpy as np

from gemkit.project import Project
from gemtrain.data.dataset import Split
from gemtrain.models.lookup import build
from gemtrain.scoring.model_outputs import predict
from tests.helpers.training import CPU


def test_probabilities_are_the_mean_over_views(gems: Path) -> None:
    model = build("gemnet", 3, 48)
    pixels = Split(Project(), "gems", "validation").pixels(48)[:3]
    turned = [pixels.rot90(quarters, (1, 2)) for quarters in range(4)]
    alone = [predict(model, each, CPU) for image in turned for each in (image, image.flip(2))]
    together = predict(model, pixels, CPU, views=8)
    for part in (0, 1):
        assert np.allclose(together[part], np.mean([answer[part] for answer in alone], axis=0), atol=1e-5)
    assert np.allclose(predict(model, turned[1], CPU, views=8)[0], together[0], atol=1e-5)
    assert not np.allclose(alone[0][0], together[0], atol=1e-5)
