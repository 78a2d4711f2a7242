"""The contents of the page, which page.html shows."""

import base64
from dataclasses import dataclass
from pathlib import Path

from gemkit.errors import UserError
from gemkit.stats.confidence_intervals import Estimate
from gemtrain.evaluation.records import ClassRow, ConfusedClass
from gemtrain.report.compare import Comparison
from gemtrain.report.results import Result

_MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg"}


@dataclass(frozen=True)
class Plots:
    """The figures of a model, as data URIs."""

    curves: str
    classes: str
    confusion: str
    reliability: str
    misclassified: str
    correct: str
    random: str


@dataclass(frozen=True)
class Model:
    """An evaluated model with its tables and figures.

    `to_best` is the paired difference in top-1 to the best model; None for the best one, and if the two have
    no images in common.
    """

    result: Result
    classes: list[ClassRow]
    confused: list[ConfusedClass]
    plots: Plots
    to_best: Estimate | None


@dataclass(frozen=True)
class DatasetPair:
    """The recipes that were trained on two datasets, compared on what both test splits share.

    `plot` is a data URI; `compared` holds the comparisons by recipe.
    """

    first: str
    first_version: str
    second: str
    second_version: str
    compared: list[tuple[str, Comparison]]
    plot: str


@dataclass(frozen=True)
class ReportPage:
    """The page about the models of a dataset, best first.

    `outdated` are the recipes evaluated on another version of the dataset; `plot`, a data URI, compares the
    models.
    """

    dataset: str
    models: list[Model]
    outdated: list[str]
    plot: str
    pairs: list[DatasetPair]


def read_plots(folder: Path) -> Plots:
    """The figures in a model's folder. Raises UserError when one is missing."""
    return Plots(
        curves=embed(folder / "curves.png"),
        classes=embed(folder / "classes.png"),
        confusion=embed(folder / "confusion.png"),
        reliability=embed(folder / "reliability.png"),
        misclassified=embed(folder / "misclassified.jpg"),
        correct=embed(folder / "correct.jpg"),
        random=embed(folder / "random.jpg"),
    )


def embed(path: Path) -> str:
    """A PNG or JPEG file as a data URI. Raises UserError when it is missing."""
    try:
        data = path.read_bytes()
    except OSError:
        raise UserError(
            f"The figure '{path}' is missing; run 'gemtrain evaluate' (dvc repro) again."
        ) from None
    return f"data:{_MEDIA_TYPES[path.suffix]};base64,{base64.b64encode(data).decode()}"
