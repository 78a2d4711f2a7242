"""The files of an evaluation."""

from pathlib import Path

METRICS = Path("metrics")
PLOTS = Path("plots")
PREDICTIONS_FOLDER = Path("data/predictions")

#: Tables among the plots of a model.
CURVES, CONFUSION, PER_CLASS, CONFUSED = "curves.csv", "confusion.csv", "per_class.csv", "confused.csv"


def metrics_path(dataset: str, recipe: str) -> Path:
    """The metrics file of a dataset and a recipe."""
    return METRICS / dataset / f"{recipe}.json"


def predictions_path(dataset: str, recipe: str) -> Path:
    """The file of the predictions of a dataset's model of a recipe."""
    return PREDICTIONS_FOLDER / dataset / f"{recipe}.parquet"
