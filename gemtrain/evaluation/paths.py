"""The files of an evaluation, by the names of models."""

from collections.abc import Sequence
from pathlib import Path

from gemkit.errors import UserError, did_you_mean
from gemkit.project import Project

#: Tables among the plots of a model.
CURVES, CONFUSION, PER_CLASS, CONFUSED = "curves.csv", "confusion.csv", "per_class.csv", "confused.csv"


def metrics_path(project: Project, dataset: str, recipe: str) -> Path:
    """The metrics file of a model."""
    return project.metrics / dataset / f"{recipe}.json"


def plots_folder(project: Project, dataset: str, recipe: str) -> Path:
    """The folder of a model's figures and tables."""
    return project.plots / dataset / recipe


def model_parts(name: str, existing: Sequence[str]) -> tuple[str, str]:
    """Dataset and recipe of a model `<dataset>/<recipe>`. Raises UserError that names the `existing` ones."""
    dataset, _, recipe = name.partition("/")
    if not dataset or not recipe or "/" in recipe:
        hint = did_you_mean(name, "models", existing)
        raise UserError(f"'{name}' is not the name of a model, <dataset>/<recipe>{hint}.")
    return dataset, recipe
