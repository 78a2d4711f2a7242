"""A model's predictions for the images that it was not trained on, in memory and on disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gemkit.arrays import Array, Ints
from gemkit.errors import UserError
from gemkit.tables import read_table, write_table
from gemtrain.data.dataset import Split
from gemtrain.scoring.model_outputs import Outputs
from gemtrain.tables import PREDICTIONS

PREDICTIONS_FOLDER = Path("data/predictions")


@dataclass(frozen=True)
class Predictions:
    """Predictions for N images of one split: lists and arrays of N; `varieties` and `species` by label.

    `probabilities` [N, classes] float32 as the network outputs them.
    """

    sha256s: list[str]
    groups: list[str]
    labels: Ints
    probabilities: Array
    varieties: list[str]
    species: list[str | None]


def predictions_path(dataset: str, recipe: str) -> Path:
    """The file of the predictions of a dataset's model of a recipe."""
    return PREDICTIONS_FOLDER / dataset / f"{recipe}.parquet"


def write_predictions(path: Path, splits: Sequence[tuple[Split, Outputs]]) -> None:
    """Write the outputs of a model for splits."""
    tables = [
        pa.table(
            {
                "sha256": split.sha256s,
                "group_id": split.groups,
                "split": [split.name] * len(split),
                "label": split.labels.numpy(),
                "variety": split.varieties,
                "species": split.species,
                "probabilities": _lists(outputs.probabilities),
                "embedding": _lists(outputs.embeddings),
            },
            schema=PREDICTIONS,
        )
        for split, outputs in splits
    ]
    write_table(path, pa.concat_tables(tables).sort_by("sha256"))


def read_predictions(dataset: str, recipe: str) -> Predictions:
    """A model's predictions for the test images, in order of sha256. Raises UserError."""
    path = predictions_path(dataset, recipe)
    if not path.exists():
        raise UserError(
            f"There are no predictions in '{path}'; "
            f"run 'gemtrain evaluate --dataset {dataset} --recipe {recipe}'."
        )
    columns = [name for name in PREDICTIONS.names if name != "embedding"]
    table = read_table(path, PREDICTIONS, columns)
    table = table.filter(pc.equal(table["split"], "test"))
    labels = table["label"].to_numpy()
    probabilities = table["probabilities"].combine_chunks().flatten().to_numpy()
    classes = len(probabilities) // max(len(table), 1)
    first = {int(label): row for row, label in reversed(list(enumerate(labels)))}
    if not len(table) or sorted(first) != list(range(classes)) or len(probabilities) != classes * len(table):
        raise UserError(
            f"'{path}' does not contain test images of every class; "
            f"run 'gemtrain evaluate --dataset {dataset} --recipe {recipe}' again."
        )
    return Predictions(
        sha256s=table["sha256"].to_pylist(),
        groups=table["group_id"].to_pylist(),
        labels=labels,
        probabilities=probabilities.reshape(-1, classes),
        varieties=[table["variety"][first[label]].as_py() for label in range(classes)],
        species=[table["species"][first[label]].as_py() for label in range(classes)],
    )


def _lists(values: Array) -> pa.Array:
    count, width = values.shape
    offsets = np.arange(0, count * width + 1, width, dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, np.ascontiguousarray(values).reshape(-1))
