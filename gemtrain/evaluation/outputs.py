"""Write the files of an evaluation: metrics, tables and figures."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gemkit.tables import write_text
from gemtrain.data.dataset import Dataset

if TYPE_CHECKING:
    from gemtrain.model_metadata import EpochResult, ModelMetadata

METRICS = Path("metrics")
PLOTS = Path("plots")


def metrics_path(dataset: str, recipe: str) -> Path:
    """The metrics file of a dataset and a recipe."""
    return METRICS / dataset / f"{recipe}.json"


def draw_figures(
    folder: Path,
    dataset: Dataset,
    metadata: "ModelMetadata",
    history: "list[EpochResult]",
    probabilities: np.ndarray,
    calibrated: np.ndarray,
    table: list[dict[str, Any]],
) -> None:
    """Draw a model's training curves, confusion matrix, best and worst classes, reliability and galleries.

    `history` is that of the training, `metadata` the model.json. `probabilities` and `calibrated` [N,
    classes] are those of the test images before and after calibration, `table` is `per_class`.
    """
    from gemtrain.evaluation import figures, gallery

    test, title = dataset.splits["test"], f"{dataset.name} / {folder.name}"
    labels = test.labels.numpy()
    _write_curves(folder, history)
    figures.draw_curves(folder / "curves.png", history, metadata.best_epoch, title)
    figures.draw_confusion(
        folder / "confusion.png", labels, probabilities.argmax(1), dataset.varieties, title
    )
    figures.draw_extremes(folder / "classes.png", table, dataset.varieties, title)
    figures.draw_reliability(folder / "reliability.png", labels, probabilities, calibrated, title)
    images = test.pixels(metadata.image_size)
    gallery.draw_galleries(folder, test, images, calibrated, dataset.varieties, title)


def _write_curves(folder: Path, history: "list[EpochResult]") -> None:
    write_csv(
        folder / "curves.csv",
        [
            {
                "epoch": row.epoch,
                "stage": row.stage,
                "accuracy": row.validation_accuracy,
                "loss": row.validation_loss,
                "train_accuracy": row.train_accuracy,
                "train_loss": row.train_loss,
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
    """Write confusion.csv, per_class.csv and confused.csv of the test images, with classes by name.

    `probabilities` are [N, classes], `table` is `per_class`, `confused` is `confused_classes`.
    """
    train, varieties = dataset.splits["train"], dataset.varieties
    labels = dataset.splits["test"].labels.tolist()
    pairs = zip(labels, probabilities.argmax(1).tolist(), strict=True)
    write_csv(
        folder / "confusion.csv",
        [{"actual": varieties[actual], "predicted": varieties[predicted]} for actual, predicted in pairs],
    )
    sources = np.bincount(train.labels[train.one_row_per_source()].numpy(), minlength=len(varieties))
    write_csv(
        folder / "per_class.csv",
        [
            {"variety": variety, "species": species, "training_photos": int(seen), **row}
            for variety, species, seen, row in zip(varieties, dataset.species, sources, table, strict=True)
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
    """Write rows as CSV, numbers with four decimals, None as an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns or list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rounded(rows))
    write_text(path, text.getvalue())


def rounded(value: Any) -> Any:
    """A value with all floats inside its lists and mappings rounded to four decimals."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value
