"""Evaluations, and models that cannot be evaluated."""

import json
from pathlib import Path

import pytest
import torch

from gemkit.arrays import Array
from gemkit.errors import UserError
from gemkit.project import Project
from gemtrain.data.dataset import Split
from gemtrain.evaluation.evaluate import evaluate
from gemtrain.recipe import load_settings
from gemtrain.scoring.selective_prediction import Confidence
from gemtrain.training.train import train
from tests.helpers.textures import write_params

CPU = torch.device("cpu")


def train_quickly(recipe: str = "gemnet") -> None:
    write_params(gemnet={"max_steps": 3})
    recipe_settings, seed = load_settings(Path("params.yaml"), recipe)
    train(Project(), "gems", recipe_settings, seed, CPU)


def test_probabilities_are_calibrated_once(gems: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_quickly()
    calls, calibrated = [], Confidence.calibrated

    def counted(self: Confidence, probabilities: Array) -> Array:
        calls.append(len(probabilities))
        return calibrated(self, probabilities)

    monkeypatch.setattr(Confidence, "calibrated", counted)
    evaluate(Project(), "gems", "gemnet", CPU)
    assert calls == [len(Split(Project(), "gems", "test"))]


def test_a_model_of_other_classes_is_refused(gems: Path) -> None:
    train_quickly()
    path = Path("models/gems/gemnet/model.json")
    metadata = json.loads(path.read_text())
    path.write_text(json.dumps({**metadata, "varieties": ["Agate", "Opal", "Zircon"]}))
    with pytest.raises(UserError, match="different classes"):
        evaluate(Project(), "gems", "gemnet", CPU)
    path.write_text("{")
    with pytest.raises(UserError, match=r"model\.json"):
        evaluate(Project(), "gems", "gemnet", CPU)
    path.write_text(json.dumps({**metadata, "settings": {**metadata["settings"], "image_size": 96}}))
    with pytest.raises(UserError, match="does not hold the weights"):
        evaluate(Project(), "gems", "gemnet", CPU)
    path.write_text(json.dumps(metadata))
    weights = Path("models/gems/gemnet/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(UserError, match=r"model\.safetensors"):
        evaluate(Project(), "gems", "gemnet", CPU)
    assert not Path("metrics").exists()
