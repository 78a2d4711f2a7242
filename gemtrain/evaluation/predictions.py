"""Read a model's predictions for the images that it was not trained on."""

from dataclasses import dataclass

import pyarrow.compute as pc

from gemkit.arrays import Array, Ints
from gemkit.errors import UserError, did_you_mean
from gemkit.project import Project
from gemkit.tables import read_table
from gemtrain.tables import PREDICTIONS


@dataclass(frozen=True)
class Predictions:
    """Predictions for N images of one split: lists and arrays of N; `varieties` and `species` by label.

    `probabilities` [N, classes] float32 as the network outputs them.
    """

    sha256s: list[str]
    groups: list[str]
    labels: Ints
    probabilities: Array
    varieties: list[str]
    species: list[str | None]


def evaluated_models(project: Project) -> list[tuple[str, str]]:
    """Dataset and recipe of the evaluated models of a project, sorted."""
    names = ((path.parent.name, path.stem) for path in project.metrics.glob("*/*.json"))
    return sorted(model for model in names if project.predictions(*model).exists())


def read_predictions(project: Project, dataset: str, recipe: str) -> Predictions:
    """A model's predictions for the test images, in order of sha256. Raises UserError."""
    path = project.predictions(dataset, recipe)
    if not path.exists():
        evaluated = ["/".join(model) for model in evaluated_models(project)]
        hint = did_you_mean(f"{dataset}/{recipe}", "evaluated models", evaluated)
        raise UserError(
            f"There are no predictions in '{path}'{hint}. Evaluate it with "
            f"'gemtrain evaluate --dataset {dataset} --recipe {recipe}'."
        )
    columns = [name for name in PREDICTIONS.names if name != "embedding"]
    table = read_table(path, PREDICTIONS, columns)
    table = table.filter(pc.equal(table["split"], "test"))
    labels = table["label"].to_numpy()
    probabilities = table["probabilities"].combine_chunks().flatten().to_numpy()
    classes = len(probabilities) // max(len(table), 1)
    first = {int(label): row for row, label in reversed(list(enumerate(labels)))}
    if not len(table) or sorted(first) != list(range(classes)) or len(probabilities) != classes * len(table):
        raise UserError(
            f"'{path}' does not contain test images of every class; "
            f"run 'gemtrain evaluate --dataset {dataset} --recipe {recipe}' again."
        )
    return Predictions(
        sha256s=table["sha256"].to_pylist(),
        groups=table["group_id"].to_pylist(),
        labels=labels,
        probabilities=probabilities.reshape(-1, classes),
        varieties=[table["variety"][first[label]].as_py() for label in range(classes)],
        species=[table["species"][first[label]].as_py() for label in range(classes)],
    )
