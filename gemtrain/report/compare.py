"""`gemtrain compare`: two models on the same images, with the interval of their difference."""

from dataclasses import dataclass

import numpy as np

from gemkit.arrays import Array
from gemkit.errors import UserError
from gemkit.project import Project
from gemkit.stats.confidence_intervals import Estimate, GroupBootstrap, interval, sign_probability
from gemtrain.evaluation.metrics import TOP, ranks
from gemtrain.evaluation.paths import model_parts
from gemtrain.evaluation.predictions import Predictions, evaluated_models, read_predictions


@dataclass(frozen=True)
class Score:
    """Top-`k` accuracy of both models and the lead of the second; `p` is that of the difference."""

    k: int
    first: Estimate
    second: Estimate
    difference: Estimate
    p: float


@dataclass(frozen=True)
class Comparison:
    """Top-1, top-3 and top-5 of two models, and the data they were evaluated on."""

    images: int
    groups: int
    classes: int
    scores: tuple[Score, ...]


def compare(first: Predictions, second: Predictions) -> Comparison | None:
    """Compare two models on the test images and classes that both have; None if there is nothing to compare.

    An image counts when both have it under the same variety. Each model chooses only among the shared
    classes, so that both answer the same question. Intervals and p are from the paired bootstrap over groups.
    """
    shared = [variety for variety in first.varieties if variety in second.varieties]
    first_rows = _rows(first, shared)
    second_rows = _rows(second, shared)
    images = [
        sha256
        for sha256, (_, label) in first_rows.items()
        if sha256 in second_rows and second_rows[sha256][1] == label
    ]
    if len(shared) < 2 or not images:
        return None
    labels = np.array([first_rows[sha256][1] for sha256 in images])
    places = [
        ranks(labels, _columns(model, shared)[[rows[sha256][0] for sha256 in images]])
        for model, rows in ((first, first_rows), (second, second_rows))
    ]
    groups = [first.groups[first_rows[sha256][0]] for sha256 in images]
    bootstrap = GroupBootstrap(groups)
    scores = []
    for k in TOP:
        hits = [(place < k).astype(float) for place in places]
        draws = [bootstrap.means(values) for values in hits]
        difference = draws[1] - draws[0]
        scores.append(
            Score(
                k,
                Estimate(float(hits[0].mean()), interval(draws[0])),
                Estimate(float(hits[1].mean()), interval(draws[1])),
                Estimate(float(hits[1].mean() - hits[0].mean()), interval(difference)),
                sign_probability(difference),
            )
        )
    return Comparison(len(images), len(set(groups)), len(shared), tuple(scores))


def compare_models(project: Project, first: str, second: str) -> list[str]:
    """Compare two models, given as `<dataset>/<recipe>`; returns lines. Raises UserError."""
    found = compare(_named(project, first), _named(project, second))
    if found is None:
        raise UserError(
            f"'{first}' and '{second}' do not share two classes with a common test image; "
            "compare models of the same images."
        )
    return [
        f"first: {first}; second: {second}",
        f"test split: {found.images} images of {found.groups} groups and {found.classes} classes that both "
        "have; 95 % intervals, paired by group",
        *map(_line, found.scores),
    ]


def _line(score: Score) -> str:
    low, high = score.difference.interval
    return (
        f"top-{score.k}: first {score.first.value:.3f}, second {score.second.value:.3f}; "
        f"second minus first {score.difference.value:+.3f} [{low:+.3f}, {high:+.3f}], p = {score.p:.3f}"
    )


def _named(project: Project, model: str) -> Predictions:
    evaluated = ["/".join(names) for names in evaluated_models(project)]
    return read_predictions(project, *model_parts(model, evaluated))


def _rows(model: Predictions, shared: list[str]) -> dict[str, tuple[int, int]]:
    """Row and label (an index into `shared`) of each image of a shared class, by sha256."""
    index = {variety: label for label, variety in enumerate(shared)}
    return {
        sha256: (row, index[model.varieties[label]])
        for row, (sha256, label) in enumerate(zip(model.sha256s, model.labels, strict=True))
        if model.varieties[label] in index
    }


def _columns(model: Predictions, shared: list[str]) -> Array:
    return model.probabilities[:, [model.varieties.index(variety) for variety in shared]]
