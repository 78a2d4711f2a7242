"""Trainings that benchmarks keep: a finished one is not repeated unless recipe, seed or dataset changed."""

import hashlib
import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch

from gemkit.errors import UserError
from gemkit.tables import write_text
from gemtrain.confidence import Confidence
from gemtrain.data import Dataset
from gemtrain.predictions import (
    Predictions,
    predict_split,
    predictions_path,
    read_predictions,
    write_predictions,
)
from gemtrain.recipe import Recipe
from gemtrain.store import model_folder, read_model
from gemtrain.train import train


class Finished(NamedTuple):
    """A training: what its model says of the test photos, what the validation photos taught, its minutes."""

    predictions: Predictions
    confidence: Confidence
    minutes: float


def finished(dataset_name: str, name: str, recipe: Recipe, seed: int, device: torch.device) -> Finished:
    """Train in the current folder, or read what is there; cut short, it continues.

    `name` is what the recipe is kept under. The model itself is not kept. Raises UserError.
    """
    path = predictions_path(dataset_name, name)
    dataset = Dataset(dataset_name)
    dataset.check_leaks()
    about = {"settings": asdict(recipe), "seed": seed, "dataset_version": dataset.version}
    about = json.loads(json.dumps(about))
    key = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:8]
    notes, clock = path.with_suffix(".json"), path.with_suffix(f".{key}.seconds")
    if not notes.exists() or json.loads(notes.read_text())["about"] != about:
        with Clock(clock):
            if not about.items() <= _described(dataset_name, name).items():
                train(dataset_name, name, recipe, seed, device)
        with Clock(clock):
            confidence = _predict(dataset, name, device)
        found = {"about": about, "confidence": confidence, "minutes": float(clock.read_text()) / 60}
        write_text(notes, json.dumps(found))
        clock.unlink()
        shutil.rmtree(model_folder(dataset_name, name))
    found = json.loads(notes.read_text())
    confidence = Confidence(**found["confidence"])
    return Finished(read_predictions(dataset_name, name), confidence, found["minutes"])


class Clock:
    """Adds the seconds of a block to a file, also when it ends early: of a kill they are lost."""

    def __init__(self, path: Path):
        self._path = path

    def __enter__(self) -> None:
        self._begin = time.monotonic()

    def __exit__(self, *_: object) -> None:
        before = float(self._path.read_text()) if self._path.exists() else 0.0
        write_text(self._path, str(before + time.monotonic() - self._begin))


def _described(dataset_name: str, name: str) -> dict[str, Any]:
    """The description of the model that is there; empty when there is none."""
    try:
        return read_model(dataset_name, name)[1]
    except UserError:
        return {}


def _predict(dataset: Dataset, name: str, device: torch.device) -> dict[str, Any]:
    """Write what the model says of the test photos; what it says of its confidence."""
    model, about = read_model(dataset.name, name)
    test = dataset.splits["test"]
    answers = predict_split(model, about, test, device)
    write_predictions(predictions_path(dataset.name, name), [(test, *answers)])
    return about["confidence"]
