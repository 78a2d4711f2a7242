"""Fit a content head: multinomial logistic regression, drawn towards a head that is known before."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from curation.content.head import Head, inputs
from curation.tables import FEATURE_LENGTH
from gemkit.arrays import Array, Floats, Ints
from gemkit.stats.calibration import softmax

#: Strength of the pull towards the known head: weight of half the squared difference of the weights, next to
#: the summed losses of the pictures.
_PULL = 100.0
#: Steps of the optimiser; it needs fewer.
_STEPS = 200
#: It stops when a step lowers the loss by a smaller share.
_TOLERANCE = 1e-6
#: Bias of a class that a head lacks.
_RARE = -3.0


class Examples(NamedTuple):
    """Labelled pictures: `features` [N, views, FEATURE_LENGTH] of each and of changed copies of it; `content`
    and `source`, one per picture.
    """

    features: Array
    content: Sequence[str]
    source: Sequence[str]

    def rows(self, chosen: Array) -> "Examples":
        """The examples with these numbers."""
        content, source = np.array(self.content)[chosen], np.array(self.source)[chosen]
        return Examples(self.features[chosen], content.tolist(), source.tolist())

    def labels(self, classes: Sequence[str]) -> Ints:
        """The number of each picture's class."""
        return np.array([classes.index(content) for content in self.content], np.int64)


def fit_head(examples: Examples, classes: Sequence[str], start: Head | None = None) -> Head:
    """The head for these classes with the lowest loss on the examples and the pull towards `start`.

    Classes without examples stay as they are. Without `start` the weights are drawn towards zero.
    """
    from scipy.optimize import minimize

    views, labels = examples.features.shape[1], examples.labels(classes)
    values = inputs(examples.features.reshape(-1, FEATURE_LENGTH))
    targets = np.eye(len(classes))[np.repeat(labels, views)]
    share = np.repeat(example_weights(examples) / views, views)
    known, pull = _known(classes, start)
    absent = np.bincount(labels, minlength=len(classes)) == 0

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(known.shape)
        probabilities = softmax(values @ weights[:-1] + weights[-1])
        residual = (probabilities - targets) * share[:, None]
        moved = pull * (weights - known)
        gradient = np.vstack([values.T @ residual, residual.sum(axis=0)]) + moved
        gradient[:, absent] = 0
        right = np.maximum((probabilities * targets).sum(axis=1), np.finfo(np.float64).tiny)
        return float((moved * (weights - known)).sum() / 2 - share @ np.log(right)), gradient.ravel()

    options = {"maxiter": _STEPS, "ftol": _TOLERANCE}
    found = minimize(loss, known.ravel(), jac=True, method="L-BFGS-B", options=options)
    weights = found.x.reshape(known.shape).astype(np.float32)
    return Head(tuple(classes), weights[:-1], weights[-1])


def _known(classes: Sequence[str], start: Head | None) -> tuple[Floats, Floats]:
    """What the weights, and the biases in the last row, are drawn towards, and how strongly."""
    known = np.zeros((FEATURE_LENGTH + 1, len(classes)))
    pull = np.full(known.shape, _PULL)
    if start is None:
        pull[-1] = 0
    else:
        head = extended(start, classes)
        known[:] = np.vstack([head.weights, head.bias])
    return known, pull


def extended(head: Head, classes: Sequence[str]) -> Head:
    """The head for more classes, in this order. Those that it lacks are rare, whatever the picture."""
    weights = np.zeros((FEATURE_LENGTH, len(classes)), np.float32)
    bias = np.full(len(classes), _RARE, np.float32)
    places = [classes.index(name) for name in head.classes]
    weights[:, places], bias[places] = head.weights, head.bias
    return Head(tuple(classes), weights, bias)


def example_weights(examples: Examples) -> Floats:
    """How much each picture counts; the sum is their number.

    Pictures of one shop share background and light, so all sources of a class count the same. A class counts
    by the square root of its number of pictures.
    """
    content, source = np.array(examples.content), np.array(examples.source)
    weights = np.zeros(len(content))
    for name in np.unique(content):
        of_class = content == name
        sources, which, counts = np.unique(source[of_class], return_inverse=True, return_counts=True)
        weights[of_class] = np.sqrt(of_class.sum()) / (len(sources) * counts[which])
    scaled: Floats = weights * len(weights) / weights.sum()
    return scaled
