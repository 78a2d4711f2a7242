"""Read the results of `evaluate` back for the report."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gemkit.errors import UserError
from gemkit.html import counted
from gemkit.project import Project
from gemkit.records import InvalidRecord, read_csv, read_json
from gemtrain.evaluation.paths import CONFUSED, PER_CLASS, metrics_path, plots_folder
from gemtrain.evaluation.predictions import Predictions, evaluated_models, read_predictions
from gemtrain.evaluation.records import ClassRow, ConfusedClass, Metrics

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")


@dataclass(frozen=True)
class Result:
    """An evaluated model: its metrics, its predictions for the test images, and the folder of its plots."""

    project: Project
    dataset: str
    recipe: str
    metrics: Metrics

    @property
    def folder(self) -> Path:
        """Its figures and tables."""
        return plots_folder(self.project, self.dataset, self.recipe)

    @property
    def version(self) -> str:
        """The version of the dataset that it was evaluated on."""
        return self.metrics.dataset.version

    @property
    def weights(self) -> str:
        """Its initial weights in words."""
        weights = self.metrics.model.weights
        return {"none": "from scratch", "pretrained": "pretrained"}.get(weights, f"weights of {weights}")

    @property
    def measured(self) -> str:
        """The test images of its numbers: completes "on the …"."""
        metrics = self.metrics
        return (
            f"test split of {self.dataset}, version {self.version}: "
            f"{counted(metrics.test_images, 'image')} of {counted(metrics.test_groups, 'group')}, "
            f"{counted(metrics.classes, 'class', 'classes')}"
        )

    @property
    def has_species(self) -> bool:
        """Whether scores by species are informative: some classes share a species."""
        return self.metrics.species < self.metrics.classes

    @cached_property
    def predictions(self) -> Predictions:
        """Those for the test images. Raises UserError."""
        return read_predictions(self.project, self.dataset, self.recipe)

    def read_classes(self) -> list[ClassRow]:
        """The scores of each class. Raises UserError when they are missing."""
        return self._table(PER_CLASS, ClassRow)

    def read_confused(self) -> list[ConfusedClass]:
        """The classes most often confused, worst first. Raises UserError when they are missing."""
        return self._table(CONFUSED, ConfusedClass)

    def _table(self, name: str, kind: type[Record]) -> list[Record]:
        path = self.folder / name
        try:
            return read_csv(kind, path)
        except OSError:
            raise _again(path, "the file is missing", self.dataset, self.recipe) from None
        except InvalidRecord as error:
            raise _again(path, str(error), self.dataset, self.recipe) from None


def evaluated_datasets(project: Project) -> list[str]:
    """The datasets with evaluated models, sorted by name."""
    return sorted({dataset for dataset, _ in evaluated_models(project)})


def read_results(project: Project, dataset: str) -> list[Result]:
    """The evaluated models of a dataset, best first. Raises UserError for unreadable metrics."""
    models = [model for model in evaluated_models(project) if model[0] == dataset]
    results = [read_result(project, *model) for model in models]
    return sorted(results, key=lambda result: (-result.metrics.top1, result.recipe))


def read_result(project: Project, dataset: str, recipe: str) -> Result:
    """An evaluated model. Raises UserError for missing or unreadable metrics."""
    path = metrics_path(project, dataset, recipe)
    try:
        metrics = Metrics.from_json(read_json(path))
    except OSError:
        raise _again(path, "the file is missing", dataset, recipe) from None
    except InvalidRecord as error:
        raise _again(path, str(error), dataset, recipe) from None
    return Result(project, dataset, recipe, metrics)


def _again(path: Path, problem: str, dataset: str, recipe: str) -> UserError:
    return UserError(
        f"'{path}': {problem}; run 'gemtrain evaluate --dataset {dataset} --recipe {recipe}' again."
    )
