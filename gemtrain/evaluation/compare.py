"""`gemtrain compare`: two models on the same photos, with the interval of their difference."""

from dataclasses import dataclass

import numpy as np

from gemkit.errors import UserError
from gemtrain.evaluation.metrics import TOP, ranks
from gemtrain.evaluation.predictions import Predictions, read_predictions
from gemtrain.scoring.confidence_intervals import GroupBootstrap, Interval, interval, sign_probability


@dataclass(frozen=True)
class Score:
    """A share of both models and what the second has more, each with its interval; `p` of that difference."""

    name: str
    first: float
    first_interval: Interval
    second: float
    second_interval: Interval
    difference: float
    difference_interval: Interval
    p: float


@dataclass(frozen=True)
class Comparison:
    """Top-1, top-3 and top-5 of two models, and on what they were measured."""

    photos: int
    groups: int
    classes: int
    scores: tuple[Score, ...]


def compare(first: Predictions, second: Predictions) -> Comparison | None:
    """Both models on the test photos and classes that both have; None where nothing can be compared.

    A photo counts when both have it under the same variety. Each model chooses among the shared classes
    alone, so that both answer the same question. Intervals and p by the paired bootstrap over groups.
    """
    shared = [variety for variety in first.varieties if variety in second.varieties]
    own = _photos(first, shared)
    other = _photos(second, shared)
    photos = [sha256 for sha256, (_, label) in own.items() if sha256 in other and other[sha256][1] == label]
    if len(shared) < 2 or not photos:
        return None
    labels = np.array([own[sha256][1] for sha256 in photos])
    places = [
        ranks(labels, _columns(model, shared)[[rows[sha256][0] for sha256 in photos]])
        for model, rows in ((first, own), (second, other))
    ]
    groups = [first.groups[own[sha256][0]] for sha256 in photos]
    bootstrap = GroupBootstrap(groups)
    scores = []
    for k in TOP:
        hits = [(place < k).astype(float) for place in places]
        draws = [bootstrap.means(values) for values in hits]
        difference = draws[1] - draws[0]
        scores.append(
            Score(
                f"top-{k}",
                hits[0].mean(),
                interval(draws[0]),
                hits[1].mean(),
                interval(draws[1]),
                hits[1].mean() - hits[0].mean(),
                interval(difference),
                sign_probability(difference),
            )
        )
    return Comparison(len(photos), len(set(groups)), len(shared), tuple(scores))


def compare_models(first: str, second: str) -> list[str]:
    """Two models, each named `<dataset>/<recipe>`, in lines. Raises UserError when they share nothing."""
    found = compare(_named(first), _named(second))
    if found is None:
        raise UserError(
            f"'{first}' and '{second}' have no two classes with a test photo in common; "
            "compare models of the same photos."
        )
    lines = [
        f"{second} against {first}, test split: {found.photos} photos of {found.groups} groups "
        f"and {found.classes} classes that both have; 95 % intervals, paired by group"
    ]
    for score in found.scores:
        low, high = score.difference_interval
        lines.append(
            f"{score.name}: {score.second:.3f} against {score.first:.3f}, "
            f"difference {score.difference:+.3f} [{low:+.3f}, {high:+.3f}], p = {score.p:.3f}"
        )
    return lines


def _named(model: str) -> Predictions:
    dataset, _, recipe = model.rpartition("/")
    if not dataset or not recipe:
        raise UserError(f"'{model}' names no model; write <dataset>/<recipe>, like d1k/gemnet.")
    return read_predictions(dataset, recipe)


def _photos(model: Predictions, shared: list[str]) -> dict[str, tuple[int, int]]:
    """Row and label (an index of `shared`) of each photo of a shared class, by sha256."""
    index = {variety: label for label, variety in enumerate(shared)}
    return {
        sha256: (row, index[model.varieties[label]])
        for row, (sha256, label) in enumerate(zip(model.sha256s, model.labels, strict=True))
        if model.varieties[label] in index
    }


def _columns(model: Predictions, shared: list[str]) -> np.ndarray:
    return model.probabilities[:, [model.varieties.index(variety) for variety in shared]]
