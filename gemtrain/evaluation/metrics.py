"""Metrics of a classifier from labels [N] int64 and probabilities [N, classes]. Shares from 0 to 1."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gemkit.stats.confidence_intervals import GroupBootstrap, Interval, interval, wilson

TOP = (1, 3, 5)

#: A class with a lower recall is a blind spot of the model.
_BLIND = 0.2


def ranks(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """How many classes rank above the label, [N]: 0 if it is predicted; the lower of equals is first."""
    own = probabilities[np.arange(len(labels)), labels][:, None]
    before = np.arange(probabilities.shape[1]) < labels[:, None]
    return ((probabilities > own) | ((probabilities == own) & before)).sum(axis=1)


def per_class(labels: np.ndarray, probabilities: np.ndarray, groups: Sequence[str]) -> list[dict[str, Any]]:
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
            {
                "images": images,
                "groups": len(sizes),
                "precision": correct / predictions if predictions else 0.0,
                "recall": recall,
                "recall_low": low,
                "recall_high": high,
                "f1": 2 * correct / (images + predictions) if images + predictions else 0.0,
            }
        )
    return rows


def macro(table: list[dict[str, Any]]) -> dict[str, float]:
    """Means over the classes of `per_class`, with equal weight for every class."""
    return {
        f"macro_{key}": float(np.mean([row[key] for row in table])) for key in ("precision", "recall", "f1")
    }


def macro_intervals(
    labels: np.ndarray, probabilities: np.ndarray, bootstrap: GroupBootstrap
) -> dict[str, Interval]:
    """The intervals of `macro`; a draw without images of a class averages over the others."""
    known = np.eye(probabilities.shape[1], dtype=np.float32)
    actual, predicted = known[labels], known[probabilities.argmax(1)]
    images, predictions = bootstrap.sums(actual), bootstrap.sums(predicted)
    correct = bootstrap.sums(actual * predicted)
    there = images > 0
    scores = {
        "macro_precision": correct / np.maximum(predictions, 1),
        "macro_recall": correct / np.maximum(images, 1),
        "macro_f1": 2 * correct / np.maximum(images + predictions, 1),
    }
    return {key: interval((values * there).sum(1) / there.sum(1)) for key, values in scores.items()}


def blind_spots(table: list[dict[str, Any]]) -> list[int]:
    """The labels of `per_class` with a recall below 0.2, worst first."""
    blind = [label for label, row in enumerate(table) if row["images"] and row["recall"] < _BLIND]
    return sorted(blind, key=lambda label: table[label]["recall"])


def by_species(
    labels: np.ndarray, probabilities: np.ndarray, varieties: list[str], species: list[str | None]
) -> tuple[np.ndarray, np.ndarray]:
    """Labels [N] and probabilities [N, species] of mineral species, each the sum of its varieties.

    A variety whose species is open (None) is its own species. Species are in order of name.
    """
    own = [name or f"variety {variety}" for name, variety in zip(species, varieties, strict=True)]
    names, index = np.unique(own, return_inverse=True)
    return index[labels], probabilities @ np.eye(len(names))[index]


def confused_classes(labels: np.ndarray, probabilities: np.ndarray, most: int = 10) -> list[dict[str, Any]]:
    """The classes most often confused, worst first, and the two that they are most often confused with.

    `wrong` and the shares of `first` and `second` are of the class's images; classes are labels. A class
    without a mistake is left out; `second` is None if all mistakes are for one class.
    """
    predicted = probabilities.argmax(1)
    rows: list[dict[str, Any]] = []
    for label in np.unique(labels):
        taken = np.bincount(predicted[labels == label], minlength=probabilities.shape[1])
        images = int(taken.sum())
        taken[label] = 0
        if not taken.any():
            continue
        first, second = (int(other) for other in np.argsort(-taken, kind="stable")[:2])
        rows.append(
            {
                "variety": int(label),
                "images": images,
                "wrong": int(taken.sum()) / images,
                "first": first,
                "first_share": int(taken[first]) / images,
                "second": second if taken[second] else None,
                "second_share": int(taken[second]) / images if taken[second] else None,
            }
        )
    return sorted(rows, key=lambda row: (-row["wrong"], row["variety"]))[:most]


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How many images of each class (row) were predicted as each class (column), [classes, classes]."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def similar_together(matrix: np.ndarray) -> np.ndarray:
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
    return leaves_list(linkage(squareform(distance), "average", optimal_ordering=True))
