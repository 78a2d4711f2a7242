"""The files that an evaluation leaves behind: metrics, tables and figures."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from gemkit.tables import write_text
from gemtrain.data.dataset import Dataset

METRICS = Path("metrics")
PLOTS = Path("plots")


def metrics_path(dataset: str, recipe: str) -> Path:
    """Where the metrics of a dataset's model of a recipe lie."""
    return METRICS / dataset / f"{recipe}.json"


def draw_figures(
    folder: Path,
    dataset: Dataset,
    about: dict[str, Any],
    history: list[dict[str, float]],
    probabilities: np.ndarray,
    calibrated: np.ndarray,
    table: list[dict[str, Any]],
) -> None:
    """Draw the curves, the confusion, the classes, the reliability and the galleries of a model."""
    from gemtrain.evaluation import figures, gallery

    test, title = dataset.splits["test"], f"{dataset.name} / {folder.name}"
    labels = test.labels.numpy()
    _write_curves(folder, history)
    figures.draw_curves(folder / "curves.png", history, about["best_epoch"], title)
    figures.draw_confusion(
        folder / "confusion.png", labels, probabilities.argmax(1), dataset.varieties, title
    )
    figures.draw_extremes(folder / "classes.png", table, dataset.varieties, title)
    figures.draw_reliability(folder / "reliability.png", labels, probabilities, calibrated, title)
    images = test.pixels(about["image_size"])
    gallery.draw_galleries(folder, test, images, calibrated, dataset.varieties, title)


def _write_curves(folder: Path, history: list[dict[str, float]]) -> None:
    write_csv(
        folder / "curves.csv",
        [
            {
                "epoch": int(row["epoch"]),
                "stage": int(row["stage"]),
                "accuracy": row["validation_accuracy"],
                "loss": row["validation_loss"],
                "train_accuracy": row["train_accuracy"],
                "train_loss": row["train_loss"],
            }
            for row in history
        ],
    )


def write_tables(
    folder: Path,
    dataset: Dataset,
    probabilities: np.ndarray,
    table: list[dict[str, Any]],
    confused: list[dict[str, Any]],
) -> None:
    train, varieties = dataset.splits["train"], dataset.varieties
    labels = dataset.splits["test"].labels.tolist()
    pairs = zip(labels, probabilities.argmax(1).tolist(), strict=True)
    write_csv(
        folder / "confusion.csv",
        [{"actual": varieties[actual], "predicted": varieties[predicted]} for actual, predicted in pairs],
    )
    photos = np.bincount(train.labels[train.one_row_a_photo()].numpy(), minlength=len(varieties))
    write_csv(
        folder / "per_class.csv",
        [
            {"variety": variety, "species": species, "training_photos": int(seen), **row}
            for variety, species, seen, row in zip(varieties, dataset.species, photos, table, strict=True)
        ],
    )
    named = [
        {
            key: varieties[value] if key in ("variety", "first", "second") and value is not None else value
            for key, value in row.items()
        }
        for row in confused
    ]
    columns = ["variety", "images", "wrong", "first", "first_share", "second", "second_share"]
    write_csv(folder / "confused.csv", named, columns)


def write_csv(path: Path, rows: list[dict[str, Any]], columns: list[str] | None = None) -> None:
    """Write rows as CSV, numbers with four decimals, None as nothing."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns or list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rounded(rows))
    write_text(path, text.getvalue())


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value
