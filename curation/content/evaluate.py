"""Judge a content head on sources that it was not fitted to."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from curation.content.fit import Examples, fit_head
from curation.content.head import Head
from gemkit.arrays import Array, Bools, Floats, Ints
from gemkit.stats.confidence_intervals import Estimate, interval

FOLDS = 5
_DRAWS = 500


def fold_numbers(examples: Examples, classes: Sequence[str], folds: int = FOLDS) -> Ints:
    """The fold of each picture. A source is in one fold, and the folds have about equal shares of each class.

    The largest sources are placed first, each where it evens out the classes most.
    """
    labels = examples.labels(classes)
    sources, which = np.unique(np.array(examples.source), return_inverse=True)
    counts = np.zeros((len(sources), len(classes)))
    np.add.at(counts, (which, labels), 1)
    counts /= np.maximum(counts.sum(axis=0), 1)
    filled = np.zeros((folds, len(classes)))
    fold = np.zeros(len(sources), np.int64)
    for source in np.argsort(-counts.max(axis=1), kind="stable"):
        fold[source] = np.argmin(((filled + counts[source]) ** 2 - filled**2).sum(axis=1))
        filled[fold[source]] += counts[source]
    numbers: Ints = fold[which]
    return numbers


def out_of_fold(examples: Examples, classes: Sequence[str], start: Head | None = None) -> Floats:
    """The probabilities [N, classes] of each picture, by a head that is fitted to the other folds."""
    numbers = fold_numbers(examples, classes)
    probabilities = np.zeros((len(numbers), len(classes)))
    for number in np.unique(numbers):
        head = fit_head(examples.rows(numbers != number), classes, start)
        probabilities[numbers == number] = head.probabilities(examples.features[numbers == number, 0])
    return probabilities


def scaled(head: Head, temperature: float) -> Head:
    """The head with its logits divided by a temperature."""
    return Head(head.classes, head.weights / np.float32(temperature), head.bias / np.float32(temperature))


class ClassFigures(NamedTuple):
    """How well a class is told from good pictures.

    `auc`: the share of pairs of a picture of the class and a good one in which the former is the likelier;
    `recall`: the share found where 2 % of the good pictures are taken for it.
    """

    name: str
    pictures: int
    sources: int
    auc: Estimate
    recall: Estimate


def class_figures(
    examples: Examples, classes: Sequence[str], probabilities: Floats, good: str
) -> Iterator[ClassFigures]:
    """The figures of each class but the good one, with intervals over sources."""
    content, source = np.array(examples.content), np.array(examples.source)
    for column, name in enumerate(classes):
        if name == good or not (of_class := content == name).any():
            continue
        rows = np.flatnonzero(of_class | (content == good))
        values, positive = probabilities[rows, column], of_class[rows]
        auc = over_sources(partial(_auc, values, positive), source[rows])
        recall = over_sources(partial(_recall, values, positive), source[rows])
        yield ClassFigures(name, int(of_class.sum()), len(set(source[of_class])), auc, recall)


def over_sources(score: Callable[[Array], float], source: Array) -> Estimate:
    """A score of numbered pictures with its interval: sources are drawn with replacement.

    Draws for which the score is undefined (NaN) do not count.
    """
    rng = np.random.default_rng(0)
    rows = [np.flatnonzero(source == name) for name in np.unique(source)]
    draws = [
        score(np.concatenate([rows[number] for number in rng.integers(len(rows), size=len(rows))]))
        for _ in range(_DRAWS)
    ]
    defined = np.array(draws)[~np.isnan(draws)]
    return Estimate(score(np.arange(len(source))), interval(defined))


def _auc(all_values: Floats, is_positive: Bools, chosen: Array) -> float:
    """The area under the ROC curve (Mann and Whitney, 1947); NaN with pictures of one kind only."""
    values, positive = all_values[chosen], is_positive[chosen]
    if positive.all() or not positive.any():
        return float("nan")
    found, others = values[positive], np.sort(values[~positive])
    below = np.searchsorted(others, found, "left") + np.searchsorted(others, found, "right")
    return float(below.mean() / 2 / len(others))


def _recall(all_values: Floats, is_positive: Bools, chosen: Array) -> float:
    values, positive = all_values[chosen], is_positive[chosen]
    if positive.all() or not positive.any():
        return float("nan")
    return float((values[positive] > np.quantile(values[~positive], 0.98)).mean())


def dropped_out_of_fold(
    examples: Examples, classes: Sequence[str], probabilities: Floats, kept: Sequence[str], loss: float
) -> Bools:
    """The pictures that are dropped because the `kept` classes together are too unlikely.

    The threshold of a fold is the one that loses this share of the pictures of the first kept class in the
    other folds.
    """
    numbers = fold_numbers(examples, classes)
    likelihood = kept_probability(classes, probabilities, kept)
    good = np.array(examples.content) == kept[0]
    dropped = np.zeros(len(numbers), bool)
    for number in np.unique(numbers):
        threshold = np.quantile(likelihood[good & (numbers != number)], loss)
        dropped |= (numbers == number) & (likelihood < threshold)
    return dropped


def kept_probability(classes: Sequence[str], probabilities: Floats, kept: Sequence[str]) -> Floats:
    """The probability [N] that a picture is of one of the kept classes."""
    total: Floats = probabilities[:, [classes.index(name) for name in kept]].sum(axis=1)
    return total
