"""Write the files of an evaluation next to its metrics: tables and figures."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from gemkit.arrays import Array
from gemtrain.data.dataset import Dataset
from gemtrain.evaluation.csv_records import write_records
from gemtrain.evaluation.records import ClassRow, ClassScores, ConfusedClass, CurvePoint, PredictedClass

METRICS = Path("metrics")
PLOTS = Path("plots")

#: Tables among the plots of a model.
CURVES, CONFUSION, PER_CLASS, CONFUSED = "curves.csv", "confusion.csv", "per_class.csv", "confused.csv"


def metrics_path(dataset: str, recipe: str) -> Path:
    """The metrics file of a dataset and a recipe."""
    return METRICS / dataset / f"{recipe}.json"


def draw_figures(
    folder: Path,
    dataset: Dataset,
    metadata: dict[str, Any],
    history: list[dict[str, float]],
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
    figures.draw_curves(folder / "curves.png", history, metadata["best_epoch"], title)
    figures.draw_confusion(
        folder / "confusion.png", labels, probabilities.argmax(1), dataset.varieties, title
    )
    figures.draw_extremes(folder / "classes.png", table, dataset.varieties, title)
    figures.draw_reliability(folder / "reliability.png", labels, probabilities, calibrated, title)
    images = test.pixels(metadata["image_size"])
    gallery.draw_galleries(folder, test, images, calibrated, dataset.varieties, title)


def write_curves(folder: Path, history: list[dict[str, float]]) -> None:
    """Write curves.csv from the history of a training."""
    points = [
        CurvePoint(
            epoch=int(row["epoch"]),
            stage=int(row["stage"]),
            accuracy=row["validation_accuracy"],
            loss=row["validation_loss"],
            train_accuracy=row["train_accuracy"],
            train_loss=row["train_loss"],
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
