"""Calibration of a classifier and its temperature, from labels [N] and probabilities [N, classes]."""

from typing import NamedTuple

import numpy as np

from gemkit.arrays import Array, Ints

BINS = 15
#: A temperature outside this range means that the validation split is too small to fit one.
_MIN_TEMPERATURE, _MAX_TEMPERATURE = 0.1, 10.0
_TINY = np.finfo(np.float32).tiny


class Bin(NamedTuple):
    """Images of similar confidence: their number, mean confidence and accuracy."""

    images: int
    confidence: float
    accuracy: float


def apply_temperature(probabilities: Array, temperature: float) -> Array:
    """Probabilities with their logits divided by a temperature: softer above 1, sharper below."""
    return softmax(np.log(np.maximum(probabilities, _TINY, dtype=np.float64)) / temperature)


def softmax(logits: Array) -> Array:
    """Probabilities from logits, both [N, classes]."""
    powers: Array = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Array = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def fit_temperature(labels: Ints, probabilities: Array) -> float:
    """The `best_temperature` of a network, fitted on the validation split.

    1 if it is at an end of its range, as when all images are correct: there are too few errors to fit it.
    """
    temperature = best_temperature(labels, probabilities)
    return temperature if _MIN_TEMPERATURE * 1.01 < temperature < _MAX_TEMPERATURE / 1.01 else 1.0


def best_temperature(labels: Ints, probabilities: Array) -> float:
    """The temperature, 0.1 to 10, with the lowest negative log likelihood.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017. The likelihood is convex in 1 /
    temperature, so that one bounded search finds it.
    """
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda power: log_loss(labels, apply_temperature(probabilities, np.exp(-power))),
        bounds=(-np.log(_MAX_TEMPERATURE), -np.log(_MIN_TEMPERATURE)),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(-found.x))


def log_loss(labels: Ints, probabilities: Array) -> float:
    """Mean negative log likelihood of the labels, in nats."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], _TINY)).mean())


def brier(labels: Ints, probabilities: Array) -> float:
    """Mean over images of the squared distance to the true one-hot vector, summed over the classes: 0 to 2.

    Source: Brier, Monthly Weather Review 78, 1950.
    """
    one_hot = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - one_hot) ** 2).sum(axis=1).mean())


def reliability(labels: Ints, probabilities: Array, bins: int = BINS) -> list[Bin]:
    """Bins of equally many images (differing by at most one) in order of confidence; none is empty."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    order = np.argsort(confidence, kind="stable")
    return [
        Bin(len(rows), float(confidence[rows].mean()), float(correct[rows].mean()))
        for rows in np.array_split(order, min(bins, len(order)))
    ]


def calibration_error(labels: Ints, probabilities: Array, bins: int = BINS) -> float:
    """Expected calibration error over bins of equal mass: the mean gap between confidence and accuracy.

    Source: Naeini et al., AAAI 2015; equal mass as in Nixon et al., Measuring Calibration in Deep Learning,
    2019.
    """
    table = reliability(labels, probabilities, bins)
    return sum(row.images * abs(row.confidence - row.accuracy) for row in table) / len(labels)
