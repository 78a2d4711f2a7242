"""Trainings that benchmarks keep: a finished one is not repeated unless recipe, seed or dataset changed.

Of each, `<dataset>-<name>.parquet` holds what its model says of the test photos, and the `.json` beside it
what it was, what the validation photos taught, and its minutes. The model itself is not kept.
"""

import hashlib
import json
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch

from gemkit.errors import UserError
from gemkit.executor.local import map_shards
from gemkit.tables import read_table, write_table, write_text
from gemtrain.data.dataset import Dataset
from gemtrain.device import choose_device
from gemtrain.evaluation.predictions import Predictions
from gemtrain.model_store import model_folder, read_model
from gemtrain.recipe import Recipe
from gemtrain.scoring.model_outputs import predict_split
from gemtrain.scoring.selective_prediction import Confidence
from gemtrain.settings import from_mapping
from gemtrain.training.train import train

#: A row a test photo; logarithms of the probabilities, in order of label, before calibration.
_PHOTOS = pa.schema(
    [
        ("sha256", pa.string()),
        ("group_id", pa.string()),
        ("label", pa.int64()),
        ("log_probabilities", pa.list_(pa.float16())),
    ]
)
_TINY = np.finfo(np.float32).tiny
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


def finished_all(trainings: Iterable[Training], kept: Path, one_by_one: bool) -> Iterator[Finished]:
    """Each of them, in order: one by one on the device that is there, or side by side on a core each.

    Small networks leave a second core waiting, so that two at once are done sooner than one after the other.
    """
    device = choose_device()
    if one_by_one or device.type != "cpu":
        yield from (finished(training, kept, device) for training in trainings)
    else:
        yield from map_shards(partial(_finished_on_one_core, kept), trainings)


def _finished_on_one_core(kept: Path, training: Training) -> Finished:
    return finished(training, kept, choose_device())  # with one thread, as a worker has


def finished(training: Training, kept: Path, device: torch.device) -> Finished:
    """Train in the current folder, or read what the folder `kept` has; cut short, it continues.

    Raises UserError.
    """
    dataset = Dataset(training.dataset)
    dataset.check_leaks()
    if found := read_finished(training, kept, dataset.version):
        return found
    about = {"settings": asdict(training.recipe), "seed": training.seed, "dataset_version": dataset.version}
    key = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:8]
    clock = Path("clocks", f"{training.dataset}-{training.name}-{key}.seconds")
    with Clock(clock):
        if not _is_of(_described(training), training, dataset.version):
            train(*training, device)
    notes = _path(training, kept, "json")
    notes.unlink(missing_ok=True)  # written last: with it both files are of one training
    with Clock(clock):
        confidence = _predict(training, dataset, kept, device)
    found = {
        "about": about,
        "varieties": dataset.varieties,
        "species": dataset.species,
        "confidence": confidence,
        "minutes": float(clock.read_text()) / 60,
    }
    write_text(notes, json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    clock.unlink()
    shutil.rmtree(model_folder(training.dataset, training.name))
    done = read_finished(training, kept, dataset.version)
    assert done is not None
    return done


def read_finished(training: Training, kept: Path, dataset_version: str | None = None) -> Finished | None:
    """What is kept of this recipe and seed, on the dataset's version or on any; None if nothing is."""
    notes = _path(training, kept, "json")
    if not notes.exists():
        return None
    found = json.loads(notes.read_text(encoding="utf-8"))
    if not _is_of(found["about"], training, dataset_version):
        return None
    table = read_table(_path(training, kept, "parquet"), _PHOTOS)
    predictions = Predictions(
        sha256s=table["sha256"].to_pylist(),
        groups=table["group_id"].to_pylist(),
        labels=table["label"].to_numpy(),
        probabilities=np.exp(np.array(table["log_probabilities"].to_pylist(), np.float32)),
        varieties=found["varieties"],
        species=found["species"],
    )
    return Finished(predictions, Confidence(**found["confidence"]), found["minutes"])


def _path(training: Training, kept: Path, suffix: str) -> Path:
    return kept / f"{training.dataset}-{training.name}.{suffix}"


def _is_of(about: dict[str, Any], training: Training, dataset_version: str | None) -> bool:
    """Whether a description is of this training, on the dataset's version or, without one, on any.

    What recipes say of themselves does not count; options that came later had their defaults.
    """
    given = {key: value for key, value in about.get("settings", {}).items() if value != []}
    try:
        recipe = from_mapping(Recipe, given, "a description")
    except UserError:
        return False
    same = _without_words(recipe) == _without_words(training.recipe) and about["seed"] == training.seed
    return same and dataset_version in (None, about["dataset_version"])


def _without_words(recipe: Recipe) -> Recipe:
    return replace(recipe, description="", source="", published="")


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


def _described(training: Training) -> dict[str, Any]:
    """The description of the model that is there; empty when there is none."""
    try:
        return read_model(training.dataset, training.name)[1]
    except UserError:
        return {}


def _predict(training: Training, dataset: Dataset, kept: Path, device: torch.device) -> dict[str, Any]:
    """Write what the model says of the test photos; what it says of its confidence."""
    model, about = read_model(training.dataset, training.name)
    test = dataset.splits["test"]
    probabilities, _ = predict_split(model, about, test, device)
    logarithms = np.log(np.maximum(probabilities, _TINY)).astype(np.float16)
    columns = test.sha256s, test.groups, test.labels.numpy(), list(logarithms)
    table = pa.table(dict(zip(_PHOTOS.names, columns, strict=True)), schema=_PHOTOS)
    write_table(_path(training, kept, "parquet"), table.sort_by("sha256"))
    return about["confidence"]
