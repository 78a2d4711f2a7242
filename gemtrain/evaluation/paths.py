"""The files of an evaluation."""

from pathlib import Path

from gemkit.project import Project

#: Tables among the plots of a model.
CURVES, CONFUSION, PER_CLASS, CONFUSED = "curves.csv", "confusion.csv", "per_class.csv", "confused.csv"


def metrics_path(project: Project, dataset: str, recipe: str) -> Path:
    """The metrics file of a model."""
    return project.metrics / dataset / f"{recipe}.json"


def plots_folder(project: Project, dataset: str, recipe: str) -> Path:
    """The folder of a model's figures and tables."""
    return project.plots / dataset / recipe
