"""Trainings that benchmarks keep: a finished one is not repeated unless recipe, seed or dataset changed."""

import hashlib
import json
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch

from gemkit.errors import UserError
from gemkit.parallel import map_shards
from gemkit.tables import write_text
from gemtrain.confidence import Confidence
from gemtrain.data import Dataset
from gemtrain.device import choose_device
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

#: Seconds between two looks at a running clock.
_TICK = 5.0


class Training(NamedTuple):
    """A recipe on a dataset of the current folder; `name` is what its model is kept under."""

    dataset: str
    name: str
    recipe: Recipe
    seed: int


class Finished(NamedTuple):
    """A training: what its model says of the test photos, what the validation photos taught, its minutes."""

    predictions: Predictions
    confidence: Confidence
    minutes: float


def finished_all(trainings: Iterable[Training], one_by_one: bool) -> Iterator[Finished]:
    """Each of them, in order: one by one on the device that is there, or side by side on a core each.

    Small networks leave a second core waiting, so that two at once are done sooner than one after the other.
    """
    device = choose_device()
    if one_by_one or device.type != "cpu":
        yield from (finished(training, device) for training in trainings)
    else:
        yield from map_shards(_finished_on_one_core, trainings)


def _finished_on_one_core(training: Training) -> Finished:
    return finished(training, choose_device())  # with one thread, as a worker has


def finished(training: Training, device: torch.device) -> Finished:
    """Train in the current folder, or read what is there; cut short, it continues.

    The model itself is not kept. Raises UserError.
    """
    dataset_name, name, recipe, seed = training
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
    """Adds the seconds of a block to a file, also when it ends early; of a kill the last few are lost."""

    def __init__(self, path: Path):
        self._path = path
        self._ended = threading.Event()

    def __enter__(self) -> None:
        self._begin = time.monotonic()
        self._before = float(self._path.read_text()) if self._path.exists() else 0.0
        self._ticking = threading.Thread(target=self._tick, daemon=True)
        self._ticking.start()

    def _tick(self) -> None:
        while not self._ended.wait(_TICK):
            self._write()

    def _write(self) -> None:
        write_text(self._path, str(self._before + time.monotonic() - self._begin))

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._ticking.join()
        self._write()


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
