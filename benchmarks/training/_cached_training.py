"""Cached trainings of benchmarks: a finished one is repeated only if its recipe, seed or dataset has changed.

For each, `<dataset>-<name>.parquet` holds the model's outputs for the test images, and the `.json` next to it
the training, the fitted confidence, and the minutes it took. The model itself is not kept.
"""

import hashlib
import json
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch

from gemkit.errors import UserError
from gemkit.executor.local import map_shards
from gemkit.project import Project
from gemkit.tables import read_table, write_table, write_text
from gemtrain.data.dataset import Dataset
from gemtrain.device import choose_device
from gemtrain.evaluation.predictions import Predictions
from gemtrain.model_store import read_model
from gemtrain.recipe import Recipe
from gemtrain.scoring.model_outputs import predict_split
from gemtrain.scoring.selective_prediction import Confidence
from gemtrain.training.train import train

#: One row per test image; logarithms of the probabilities, in order of label, before calibration.
_OUTPUTS = pa.schema(
    [
        ("sha256", pa.string()),
        ("group_id", pa.string()),
        ("label", pa.int64()),
        ("log_probabilities", pa.list_(pa.float16())),
    ]
)
_TINY = np.finfo(np.float32).tiny
#: Seconds between two updates of a running clock.
_TICK = 5.0


class Training(NamedTuple):
    """A recipe on a dataset of a project; its results are cached under `name`."""

    project: Project
    dataset: str
    name: str
    recipe: Recipe
    seed: int


class TrainingResult(NamedTuple):
    """The outputs for the test images, the confidence fitted on the validation images, and the minutes."""

    predictions: Predictions
    confidence: Confidence
    minutes: float


def train_all(trainings: Iterable[Training], cache: Path, one_by_one: bool) -> Iterator[TrainingResult]:
    """The results in order: one by one on the available device, or in parallel with one core each.

    Small networks leave a second core idle, so that two at once finish sooner than one after the other.
    """
    device = choose_device()
    if one_by_one or device.type != "cpu":
        yield from (train_cached(training, cache, device) for training in trainings)
    else:
        yield from map_shards(partial(_train_on_one_core, cache), trainings)


def _train_on_one_core(cache: Path, training: Training) -> TrainingResult:
    return train_cached(training, cache, choose_device())  # a worker has one thread


def train_cached(training: Training, cache: Path, device: torch.device) -> TrainingResult:
    """Train, or read the result in the folder `cache`; an interrupted training is resumed.

    Raises UserError.
    """
    project, recipe = training.project, training.recipe.named(training.name)
    dataset = Dataset(project, training.dataset)
    dataset.check_leaks()
    if cached := read_cached(training, cache, dataset.version):
        return cached
    identity = {
        "settings": training.recipe.model_dump(),
        "seed": training.seed,
        "dataset_version": dataset.version,
    }
    key = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]
    clock = project.path("clocks") / f"{training.dataset}-{training.name}-{key}.seconds"
    with Clock(clock):
        if not _is_trained(training, dataset.version):
            train(project, dataset, recipe, training.seed, device)
    notes = _path(training, cache, "json")
    notes.unlink(missing_ok=True)  # written last: it marks both files as complete
    with Clock(clock):
        confidence = _predict(training, dataset, cache, device)
    found = {
        "training": identity,
        "varieties": dataset.varieties,
        "species": dataset.species,
        "confidence": asdict(confidence),
        "minutes": float(clock.read_text()) / 60,
    }
    write_text(notes, json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    clock.unlink()
    shutil.rmtree(project.model(training.dataset, training.name))
    done = read_cached(training, cache, dataset.version)
    assert done is not None
    return done


def read_cached(training: Training, cache: Path, dataset_version: str | None = None) -> TrainingResult | None:
    """The cached result of this recipe and seed, on this dataset version or on any; None if there is none."""
    notes = _path(training, cache, "json")
    if not notes.exists():
        return None
    found = json.loads(notes.read_text(encoding="utf-8"))
    if not _is_of(found["training"], training, dataset_version):
        return None
    table = read_table(_path(training, cache, "parquet"), _OUTPUTS)
    predictions = Predictions(
        sha256s=table["sha256"].to_pylist(),
        groups=table["group_id"].to_pylist(),
        labels=table["label"].to_numpy(),
        probabilities=np.exp(np.array(table["log_probabilities"].to_pylist(), np.float32)),
        varieties=found["varieties"],
        species=found["species"],
    )
    return TrainingResult(predictions, Confidence(**found["confidence"]), found["minutes"])


def _path(training: Training, cache: Path, suffix: str) -> Path:
    return cache / f"{training.dataset}-{training.name}.{suffix}"


def _is_of(identity: dict[str, Any], training: Training, dataset_version: str | None) -> bool:
    """Whether cached settings are those of this training, on this dataset version or on any if it is None.

    Descriptions of recipes are ignored; options added since then count as their defaults.
    """
    try:
        recipe = Recipe(**identity["settings"])
    except ValueError:
        return False
    same = _same(recipe, training.recipe) and identity["seed"] == training.seed
    return same and dataset_version in (None, identity["dataset_version"])


def _is_trained(training: Training, dataset_version: str) -> bool:
    """Whether the model of this training exists, on this dataset version."""
    try:
        metadata = read_model(training.project, training.dataset, training.name)[1]
    except UserError:
        return False
    found = metadata.dataset_version, metadata.seed
    return _same(metadata.settings, training.recipe) and found == (dataset_version, training.seed)


def _same(first: Recipe, second: Recipe) -> bool:
    return _without_texts(first) == _without_texts(second)


def _without_texts(recipe: Recipe) -> dict[str, Any]:
    return recipe.model_dump(exclude={"description", "source", "published"})


class Clock:
    """Adds the seconds of a block to a file, even if it ends early; a kill loses only the last few."""

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


def _predict(training: Training, dataset: Dataset, cache: Path, device: torch.device) -> Confidence:
    """Write the model's outputs for the test images; returns its confidence."""
    model, metadata = read_model(training.project, training.dataset, training.name)
    test = dataset.splits["test"]
    probabilities, _ = predict_split(model, metadata.settings, test, device)
    logarithms = np.log(np.maximum(probabilities, _TINY)).astype(np.float16)
    columns = test.sha256s, test.groups, test.labels.numpy(), list(logarithms)
    table = pa.table(dict(zip(_OUTPUTS.names, columns, strict=True)), schema=_OUTPUTS)
    write_table(_path(training, cache, "parquet"), table.sort_by("sha256"))
    return metadata.confidence
