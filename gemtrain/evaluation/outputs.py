"""Write the files of an evaluation next to its metrics: predictions, tables and figures."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa

from gemkit.arrays import Array
from gemkit.tables import write_table
from gemtrain.data.dataset import Dataset, Split
from gemtrain.evaluation.csv_records import write_records
from gemtrain.evaluation.paths import CONFUSED, CONFUSION, CURVES, PER_CLASS
from gemtrain.evaluation.records import ClassRow, ClassScores, ConfusedClass, CurvePoint, PredictedClass
from gemtrain.model_metadata import EpochResult, ModelMetadata
from gemtrain.scoring.model_outputs import Outputs
from gemtrain.tables import PREDICTIONS


def draw_figures(
    folder: Path,
    dataset: Dataset,
    metadata: ModelMetadata,
    history: Sequence[EpochResult],
    probabilities: Array,
    calibrated: Array,
    table: Sequence[ClassScores],
) -> None:
    """Draw a model's training curves, confusion matrix, best and worst classes, reliability and galleries.

    `history` is that of the training, `metadata` the model.json. `probabilities` and `calibrated` [N,
    classes] are those of the test images before and after calibration, `table` is `per_class`.
    """
    from gemtrain.evaluation import figures, gallery

    test, title = dataset.splits["test"], f"{dataset.name} / {folder.name}"
    labels = test.labels.numpy()
    figures.draw_curves(folder / "curves.png", history, metadata.best_epoch, title)
    figures.draw_confusion(
        folder / "confusion.png", labels, probabilities.argmax(1), dataset.varieties, title
    )
    figures.draw_extremes(folder / "classes.png", table, dataset.varieties, title)
    after = calibrated if metadata.confidence.is_fitted else None
    figures.draw_reliability(folder / "reliability.png", labels, probabilities, after, title)
    images = test.pixels(metadata.image_size)
    gallery.draw_galleries(folder, test, images, calibrated, dataset.varieties, title)


def write_curves(folder: Path, history: Sequence[EpochResult]) -> None:
    """Write curves.csv from the history of a training."""
    points = [
        CurvePoint(
            epoch=row.epoch,
            stage=row.stage,
            accuracy=row.validation_accuracy,
            loss=row.validation_loss,
            train_accuracy=row.train_accuracy,
            train_loss=row.train_loss,
        )
        for row in history
    ]
    write_records(folder / CURVES, CurvePoint, points)


def write_tables(
    folder: Path,
    dataset: Dataset,
    probabilities: Array,
    table: Sequence[ClassScores],
    confused: Sequence[ConfusedClass],
) -> None:
    """Write confusion.csv, per_class.csv and confused.csv of the test images.

    `probabilities` are [N, classes], `table` is `per_class`, `confused` is `confused_classes`.
    """
    varieties = dataset.varieties
    labels = dataset.splits["test"].labels.tolist()
    predicted = [
        PredictedClass(varieties[actual], varieties[predicted])
        for actual, predicted in zip(labels, probabilities.argmax(1).tolist(), strict=True)
    ]
    write_records(folder / CONFUSION, PredictedClass, predicted)
    write_records(folder / PER_CLASS, ClassRow, class_rows(dataset, table))
    write_records(folder / CONFUSED, ConfusedClass, confused)


def class_rows(dataset: Dataset, table: Sequence[ClassScores]) -> list[ClassRow]:
    """The rows of `per_class` with the names of the classes and their source images in training."""
    train = dataset.splits["train"]
    sources = np.bincount(
        train.labels[train.one_row_per_source()].numpy(), minlength=len(dataset.varieties)
    ).tolist()
    return [
        ClassRow(variety, species, count, **asdict(scores))
        for variety, species, count, scores in zip(
            dataset.varieties, dataset.species, sources, table, strict=True
        )
    ]


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


def _lists(values: Array) -> pa.Array:
    count, width = values.shape
    offsets = np.arange(0, count * width + 1, width, dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, np.ascontiguousarray(values).reshape(-1))
