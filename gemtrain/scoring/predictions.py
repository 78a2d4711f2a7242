"""What a model says of the photos that it was not trained on, computed and on disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from gemkit.errors import UserError
from gemkit.progress import Progress
from gemkit.tables import read_table, write_table
from gemtrain.data.augment import oriented
from gemtrain.data.dataset import Split, batch_of
from gemtrain.device import autocast
from gemtrain.models.classifier import Classifier
from gemtrain.tables import PREDICTIONS

PREDICTIONS_FOLDER = Path("data/predictions")

_BATCH = 64


@dataclass(frozen=True)
class Predictions:
    """Of N photos of one side: lists and arrays of N; `varieties` and `species` by label.

    `probabilities` [N, classes] float32 as the network gives them.
    """

    sha256s: list[str]
    groups: list[str]
    labels: np.ndarray
    probabilities: np.ndarray
    varieties: list[str]
    species: list[str | None]


@torch.inference_mode()
def predict(
    model: Classifier, images: Tensor, device: torch.device, views: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [N, classes] and embeddings [N, features] of uint8 images [N, H, W, C], both float32.

    Both are means over so many orientations of each image (`oriented`).
    """
    model.to(device).eval()
    probabilities: list[Tensor] = []
    embeddings: list[Tensor] = []
    with Progress("ask the network", len(images)) as progress:
        for rows in torch.arange(len(images)).split(_BATCH):
            batch = batch_of(images, rows).to(device)
            answers = [_answer(model, oriented(batch, view, views)) for view in range(views)]
            for means, values in zip((probabilities, embeddings), zip(*answers, strict=True), strict=True):
                means.append(torch.stack(values).mean(0).cpu())
            progress.advance(len(rows))
    return torch.cat(probabilities).numpy(), torch.cat(embeddings).numpy()


def predict_split(
    model: Classifier, about: dict[str, Any], split: Split, device: torch.device
) -> tuple[np.ndarray, np.ndarray]:
    """`predict` of a split's images as the model, which `about` describes (model.json), takes them."""
    settings = about["settings"]
    pixels = split.pixels(about["image_size"], settings["channels"])
    return predict(model, pixels, device, settings["views"])


def _answer(model: Classifier, batch: Tensor) -> tuple[Tensor, Tensor]:
    with autocast(batch.device):
        embedding = model.embed(batch)
        logits = model.head(embedding)
    return logits.float().softmax(1), embedding.float()


def predictions_path(dataset: str, recipe: str) -> Path:
    """Where the predictions of a dataset's model of a recipe lie."""
    return PREDICTIONS_FOLDER / dataset / f"{recipe}.parquet"


def write_predictions(path: Path, sides: list[tuple[Split, np.ndarray, np.ndarray]]) -> None:
    """Write the probabilities and embeddings of splits."""
    tables = [
        pa.table(
            {
                "sha256": split.sha256s,
                "group_id": split.groups,
                "split": [split.name] * len(split),
                "label": split.labels.numpy(),
                "variety": split.varieties,
                "species": split.species,
                "probabilities": _lists(probabilities),
                "embedding": _lists(embeddings),
            },
            schema=PREDICTIONS,
        )
        for split, probabilities, embeddings in sides
    ]
    write_table(path, pa.concat_tables(tables).sort_by("sha256"))


def read_predictions(dataset: str, recipe: str) -> Predictions:
    """What a model said of the test photos, in order of sha256. Raises UserError."""
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
            f"'{path}' does not hold test photos of every class; "
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


def _lists(values: np.ndarray) -> pa.Array:
    count, width = values.shape
    offsets = np.arange(0, count * width + 1, width, dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, np.ascontiguousarray(values).reshape(-1))
