"""Read the results of `evaluate` back for the report."""

import csv
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gemkit.errors import UserError
from gemkit.html import counted
from gemtrain.evaluation.outputs import METRICS, PLOTS
from gemtrain.evaluation.predictions import Predictions, predictions_path, read_predictions

#: The keys that the report reads from a metrics file; one written by an earlier version lacks some.
_NEEDED = (
    "dataset", "model", "top1", "top3", "top5", "macro_f1", "species_top1", "test_images", "test_groups",
    "classes", "species", "calibration", "baselines", "intervals", "blind_spots",
)  # fmt: skip

#: The metrics of the dataset itself, in the same folder as those of its models.
_DATASET_METRICS = "dataset"


@dataclass(frozen=True)
class Result:
    """An evaluated model: its metrics, its predictions for the test images, and the folder of its plots."""

    dataset: str
    recipe: str
    metrics: dict[str, Any]

    @property
    def folder(self) -> Path:
        """Its figures and tables."""
        return PLOTS / self.dataset / self.recipe

    @property
    def measured(self) -> str:
        """What its numbers were measured on: completes "on the …"."""
        metrics = self.metrics
        return (
            f"test split of {self.dataset}, version {metrics['dataset']['version']}: "
            f"{counted(metrics['test_images'], 'image')} of {counted(metrics['test_groups'], 'group')}, "
            f"{counted(metrics['classes'], 'class', 'classes')}"
        )

    @property
    def has_species(self) -> bool:
        """Whether scores by species are informative: some classes share a species."""
        return self.metrics["species"] < self.metrics["classes"]

    @cached_property
    def predictions(self) -> Predictions:
        """Those for the test images. Raises UserError."""
        return read_predictions(self.dataset, self.recipe)

    def table(self, name: str) -> list[dict[str, str]]:
        """The rows of one of its CSV files. Raises UserError when it is missing."""
        path = self.folder / name
        try:
            with path.open(newline="", encoding="utf-8") as file:
                return list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error):
            raise _again(path, self.dataset, self.recipe) from None


def evaluated_datasets() -> list[str]:
    """The datasets with evaluated models, sorted by name."""
    return sorted({path.parent.name for path in METRICS.glob("*/*.json") if _has_predictions(path)})


def read_results(dataset: str, recipe: str = "*") -> list[Result]:
    """The evaluated models of a dataset, of all recipes or of one, best first.

    Raises UserError for unreadable metrics. `metrics/crawl` and the like have no predictions and are ignored.
    """
    results = []
    for path in sorted((METRICS / dataset).glob(f"{recipe}.json")):
        if not _has_predictions(path):
            continue
        try:
            metrics = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError):
            raise _again(path, dataset, path.stem) from None
        if not isinstance(metrics, dict) or any(key not in metrics for key in _NEEDED):
            raise _again(path, dataset, path.stem)
        results.append(Result(dataset, path.stem, metrics))
    return sorted(results, key=lambda result: (-result.metrics["top1"], result.recipe))


def _has_predictions(path: Path) -> bool:
    return path.stem != _DATASET_METRICS and predictions_path(path.parent.name, path.stem).exists()


def _again(path: Path, dataset: str, recipe: str) -> UserError:
    return UserError(
        f"'{path}' is missing or was written by another version; "
        f"run 'gemtrain evaluate --dataset {dataset} --recipe {recipe}' again."
    )
