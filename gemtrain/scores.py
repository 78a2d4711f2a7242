"""Scores of a classifier from labels [N] int64 and probabilities [N, classes]. Shares from 0 to 1."""

from typing import Any

import numpy as np


def top_k(labels: np.ndarray, probabilities: np.ndarray, k: int) -> float:
    """Share of images whose label is among the k most probable classes; of equals the lower comes first."""
    ranked = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float((ranked == labels[:, None]).any(axis=1).mean())


def per_class(labels: np.ndarray, probabilities: np.ndarray) -> list[dict[str, Any]]:
    """Images, precision, recall and F1 of each class in order of label; 0 where nothing was predicted."""
    predicted = probabilities.argmax(1)
    rows = []
    for label in range(probabilities.shape[1]):
        right = int(((predicted == label) & (labels == label)).sum())
        images, taken = int((labels == label).sum()), int((predicted == label).sum())
        rows.append(
            {
                "images": images,
                "precision": right / taken if taken else 0.0,
                "recall": right / images if images else 0.0,
                "f1": 2 * right / (images + taken) if images + taken else 0.0,
            }
        )
    return rows


def macro(table: list[dict[str, Any]]) -> dict[str, float]:
    """Means over the classes of `per_class`, every class counting the same."""
    return {
        f"macro_{key}": float(np.mean([row[key] for row in table])) for key in ("precision", "recall", "f1")
    }


def confused_classes(labels: np.ndarray, probabilities: np.ndarray, most: int = 10) -> list[dict[str, Any]]:
    """The classes most often mistaken, worst first, and the two that they are most often taken for.

    `wrong` and the shares of `first` and `second` are of the class's images; classes are labels. A class
    without a mistake is left out; `second` is None where all mistakes fall on one class.
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
