"""The colour histogram next to a network, and the two experts."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gemkit.project import Project
from gemtrain.data.dataset import Dataset
from gemtrain.model_store import read_model
from gemtrain.models.colour_expert import COLOUR_WEIGHT, ColourHistogram
from gemtrain.models.factory import build_model, load_weights
from gemtrain.recipe import Recipe, Stage
from gemtrain.scoring.model_outputs import predict
from gemtrain.training.loss import cross_entropy
from gemtrain.training.train import train
from tests.helpers.training import recipe_of

CPU = torch.device("cpu")


def shares(image: Tensor, bins: int = 3) -> np.ndarray:
    """The share of an image [3, H, H] in each bin, [bins, bins, bins]."""
    values = ColourHistogram(bins)(image[None])
    return ((values / bins**1.5) ** 2).view(bins, bins, bins).numpy()


def test_a_colour_between_bins_counts_for_both() -> None:
    image = torch.tensor([255.0, 127.5, 63.75]).view(3, 1, 1).expand(3, 64, 64)
    found = shares(image)
    assert found[2, 1, 0] == pytest.approx(0.5) and found[2, 1, 1] == pytest.approx(0.5)
    assert found.sum() == pytest.approx(1)


def test_shares_are_those_of_the_area_at_any_size_and_rotation() -> None:
    image = torch.zeros(3, 64, 64)
    image[0, :, :16] = 255
    found = shares(image)
    assert found[2, 0, 0] == pytest.approx(0.25) and found[0, 0, 0] == pytest.approx(0.75)
    larger = image.repeat_interleave(3, 1).repeat_interleave(3, 2)
    for other in (larger, image.flip(2), image.rot90(1, (1, 2))):
        assert np.allclose(shares(other), found, atol=1e-5)
    assert ColourHistogram(3)(image[None]).square().mean().item() == pytest.approx(1)


def test_the_experts_learn_separately_and_predict_together() -> None:
    torch.manual_seed(0)
    model = build_model(recipe_of("gemnet", 36, colour_bins=4), 5)
    images, labels = 255 * torch.rand(6, 3, 36, 36), torch.arange(6) % 5
    both = model.train()(images)
    assert both.shape == (6, 2, 5)
    loss = cross_entropy(both, labels)
    alone = [torch.nn.functional.cross_entropy(both[:, expert], labels) for expert in range(2)]
    assert loss.item() == pytest.approx(sum(part.item() for part in alone) / 2)
    alone[1].backward()
    touched = [
        name for name, value in model.named_parameters() if value.grad is not None and value.grad.any()
    ]
    assert touched and all(name.startswith("head.experts.1.") for name in touched)
    with torch.inference_mode():
        embedding = model.eval().embed(images)
        network = model.head.experts[0](embedding[:, :-64])
        colours = model.head.experts[1](embedding[:, -64:])
        expected = (1 - COLOUR_WEIGHT) * network + COLOUR_WEIGHT * colours
        assert torch.allclose(model(images), expected, atol=1e-6)


def test_a_model_with_a_colour_expert_is_trained_saved_and_read(gems: Path) -> None:
    stages = (
        Stage(epochs=12, learning_rate=1e-2, train="head"),
        Stage(epochs=1, learning_rate=1e-4, freeze_batchnorm=True),
    )
    recipe = Recipe(
        description="",
        network="gemnet",
        image_size=36,
        stages=stages,
        batch_size=8,
        colour_bins=4,
        monitor="last",
    )
    train(Project(), "gems", recipe.named("coloured"), 0, CPU)
    model, metadata = read_model(Project(), "gems", "coloured")
    assert metadata.settings.colour_bins == 4
    test = Dataset(Project(), "gems").splits["test"]
    probabilities, embeddings = predict(model, test.pixels(36), CPU)
    assert embeddings.shape == (15, 512 + 64)
    assert (probabilities.argmax(1) == test.labels.numpy()).mean() > 0.8


def test_a_model_with_a_colour_expert_loads_weights_of_one_without(gems: Path) -> None:
    recipe = Recipe(
        description="",
        network="gemnet",
        image_size=36,
        stages=(Stage(epochs=1, learning_rate=1e-4),),
        batch_size=8,
        max_steps=1,
    )
    train(Project(), "gems", recipe.named("plain"), 0, CPU)
    weights = "models/gems/plain/model.safetensors"
    coloured = build_model(recipe_of("gemnet", 36, colour_bins=4), 3)
    load_weights(coloured, Path(weights), "gemnet")
    images = 255 * torch.rand(2, 3, 36, 36)
    torch.save(coloured.state_dict(), "coloured.pth")
    again = build_model(recipe_of("gemnet", 36), 3)
    load_weights(again, Path("coloured.pth"), "gemnet")
    with torch.inference_mode():
        assert torch.allclose(again.eval().embed(images), coloured.eval().embed(images)[:, :-64], atol=1e-5)
        plain = read_model(Project(), "gems", "plain")[0].eval().embed(images)
        assert torch.allclose(coloured.eval().embed(images)[:, :-64], plain, atol=1e-5)


def test_a_fitted_classifier_has_no_colour_expert() -> None:
    with pytest.raises(ValueError, match=r"'colour_bins' .*not a 'classifier'"):
        Recipe(description="", network="gemnet", image_size=36, classifier="svm", colour_bins=4)
