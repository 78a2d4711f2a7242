"""Metrics of a classifier from labels [N] int64 and probabilities [N, classes]. Shares from 0 to 1."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gemkit.arrays import Array, Ints
from gemkit.stats.confidence_intervals import GroupBootstrap, Interval, interval, wilson
from gemtrain.evaluation.records import ClassScores, ConfusedClass

TOP = (1, 3, 5)

#: A class with a lower recall is a blind spot of the model.
_BLIND = 0.2


class Macro(NamedTuple):
    """Means over the classes, with equal weight for every class."""

    precision: float
    recall: float
    f1: float


class MacroIntervals(NamedTuple):
    """The 95 % intervals of `Macro`."""

    precision: Interval
    recall: Interval
    f1: Interval


def ranks(labels: Ints, probabilities: Array) -> Ints:
    """How many classes rank above the label, [N]: 0 if it is predicted; the lower of equals is first."""
    own = probabilities[np.arange(len(labels)), labels][:, None]
    before = np.arange(probabilities.shape[1]) < labels[:, None]
    rank: Ints = ((probabilities > own) | ((probabilities == own) & before)).sum(axis=1)
    return rank


def per_class(labels: Ints, probabilities: Array, groups: Sequence[str]) -> list[ClassScores]:
    """Images, groups, precision, recall with its 95 % interval (`wilson`) and F1, in order of label.

    The recall of a class is its accuracy. 0 if nothing was predicted.
    """
    predicted, names = probabilities.argmax(1), np.asarray(groups)
    rows = []
    for label in range(probabilities.shape[1]):
        correct = int(((predicted == label) & (labels == label)).sum())
        images, predictions = int((labels == label).sum()), int((predicted == label).sum())
        sizes = np.unique(names[labels == label], return_counts=True)[1]
        recall = correct / images if images else 0.0
        low, high = wilson(recall, sizes)
        rows.append(
            ClassScores(
                images=images,
                groups=len(sizes),
                precision=correct / predictions if predictions else 0.0,
                recall=recall,
                recall_low=low,
                recall_high=high,
                f1=2 * correct / (images + predictions) if images + predictions else 0.0,
            )
        )
    return rows


def macro(table: Sequence[ClassScores]) -> Macro:
    """Means over the classes of `per_class`."""
    return Macro(
        precision=float(np.mean([row.precision for row in table])),
        recall=float(np.mean([row.recall for row in table])),
        f1=float(np.mean([row.f1 for row in table])),
    )


def macro_intervals(labels: Ints, probabilities: Array, bootstrap: GroupBootstrap) -> MacroIntervals:
    """The intervals of `macro`; a draw without images of a class averages over the others."""
    known = np.eye(probabilities.shape[1], dtype=np.float32)
    actual, predicted = known[labels], known[probabilities.argmax(1)]
    images, predictions = bootstrap.sums(actual), bootstrap.sums(predicted)
    correct = bootstrap.sums(actual * predicted)
    there = images > 0

    def over_classes(values: Array) -> Interval:
        return interval((values * there).sum(1) / there.sum(1))

    return MacroIntervals(
        precision=over_classes(correct / np.maximum(predictions, 1)),
        recall=over_classes(correct / np.maximum(images, 1)),
        f1=over_classes(2 * correct / np.maximum(images + predictions, 1)),
    )


def blind_spots(table: Sequence[ClassScores]) -> list[int]:
    """The labels of `per_class` with a recall below 0.2, worst first."""
    blind = [label for label, row in enumerate(table) if row.images and row.recall < _BLIND]
    return sorted(blind, key=lambda label: table[label].recall)


def confused_classes(
    labels: Ints, probabilities: Array, varieties: Sequence[str], most: int = 10
) -> list[ConfusedClass]:
    """The classes most often confused, worst first; a class without a mistake is left out."""
    predicted = probabilities.argmax(1)
    rows: list[ConfusedClass] = []
    for label in np.unique(labels):
        taken = np.bincount(predicted[labels == label], minlength=len(varieties))
        images = int(taken.sum())
        taken[label] = 0
        if not taken.any():
            continue
        first, second = (int(other) for other in np.argsort(-taken, kind="stable")[:2])
        rows.append(
            ConfusedClass(
                variety=varieties[label],
                images=images,
                wrong=int(taken.sum()) / images,
                first=varieties[first],
                first_share=int(taken[first]) / images,
                second=varieties[second] if taken[second] else None,
                second_share=int(taken[second]) / images if taken[second] else None,
            )
        )
    return sorted(rows, key=lambda row: -row.wrong)[:most]  # of equals, the lower label is first


def confusion(labels: Ints, predicted: Ints, classes: int) -> Ints:
    """How many images of each class (row) were predicted as each class (column), [classes, classes]."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def similar_together(matrix: Ints) -> Ints:
    """An order of the classes of a confusion matrix that places classes confused with each other side by
    side.

    Average-linkage clustering by the shares in which two classes are confused, leaves ordered as in
    Bar-Joseph et al., Bioinformatics 17, 2001.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    distance = np.clip(1 - (shares + shares.T) / 2, 0, 1)
    np.fill_diagonal(distance, 0)
    order: Ints = leaves_list(linkage(squareform(distance), "average", optimal_ordering=True))
    return order
