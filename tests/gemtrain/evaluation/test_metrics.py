"""Metrics against numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemtrain.evaluation.metrics import (
    blind_spots,
    confused_classes,
    confusion,
    macro,
    per_class,
    ranks,
    similar_together,
)
from gemtrain.evaluation.records import ClassScores, ConfusedClass

LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2])


#                  predicted: 0, 1, 1, 2, 1, 0, 2, 2
GROUPS = ["a", "a", "b", "b", "c", "d", "e", "e"]


VARIETIES = ["ruby", "opal", "agate"]


PROBABILITIES = np.array(
    [
        [0.6, 0.3, 0.1],
        [0.3, 0.5, 0.2],
        [0.1, 0.7, 0.2],
        [0.3, 0.2, 0.5],
        [0.2, 0.6, 0.2],
        [0.5, 0.1, 0.4],
        [0.1, 0.1, 0.8],
        [0.0, 0.4, 0.6],
    ]
)


def test_ranks() -> None:
    assert ranks(LABELS, PROBABILITIES).tolist() == [0, 1, 2, 1, 0, 2, 0, 0]


def test_the_lower_of_equally_probable_labels_ranks_first() -> None:
    equal = np.full((4, 4), 0.25)
    assert ranks(np.arange(4), equal).tolist() == [0, 1, 2, 3]


def test_per_class_and_macro() -> None:
    table = per_class(LABELS, PROBABILITIES, GROUPS)
    assert [row.groups for row in table] == [2, 2, 1]
    assert [row.images for row in table] == [4, 2, 2]
    assert [row.precision for row in table] == [1 / 2, 1 / 3, 2 / 3]
    assert [row.recall for row in table] == [1 / 4, 1 / 2, 1.0]
    assert [row.f1 for row in table] == pytest.approx([1 / 3, 2 / 5, 4 / 5])
    scores = macro(table)
    assert scores.precision == pytest.approx(0.5)
    assert scores.recall == pytest.approx(7 / 12)
    assert scores.f1 == pytest.approx((1 / 3 + 2 / 5 + 4 / 5) / 3)


def test_what_a_class_is_confused_with() -> None:
    worst, other = confused_classes(LABELS, PROBABILITIES, VARIETIES)
    assert worst == ConfusedClass(
        variety="ruby", images=4, wrong=0.75,
        first="opal", first_share=0.5, second="agate", second_share=0.25,
    )  # fmt: skip
    assert (other.variety, other.first, other.second, other.second_share) == ("opal", "ruby", None, None)
    assert confused_classes(LABELS, PROBABILITIES, VARIETIES, most=1) == [worst]


def test_of_equally_confused_classes_the_lower_label_is_first() -> None:
    wrong = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert [row.variety for row in confused_classes(np.array([0, 1]), wrong, ["b", "a"])] == ["b", "a"]


@pytest.mark.heavy
@settings(deadline=None)
@given(st.integers(2, 6), st.integers(1, 40), st.integers(0, 10_000))
def test_metrics_are_consistent(classes: int, images: int, seed: int) -> None:
    from sklearn.metrics import f1_score, precision_score

    rng = np.random.default_rng(seed)
    labels, probabilities = rng.integers(classes, size=images), rng.dirichlet(np.ones(classes), images)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    assert ranks(labels, probabilities).tolist() == np.nonzero(order == labels[:, None])[1].tolist()
    table, predicted = per_class(labels, probabilities, labels.astype(str)), probabilities.argmax(1)
    every = list(range(classes))
    named = {"labels": every, "average": "macro", "zero_division": 0}
    assert macro(table).f1 == pytest.approx(f1_score(labels, predicted, **named))
    assert macro(table).precision == pytest.approx(precision_score(labels, predicted, **named))
    for row in confused_classes(labels, probabilities, "abcdef"):
        assert row.first != row.variety
        assert row.first_share + (row.second_share or 0) <= row.wrong + 1e-9


def test_a_class_with_a_low_recall_is_a_blind_spot() -> None:
    recalls = [0.5, 0.19, 0.2, 0.0]
    table = [
        ClassScores(images, 1, 0.0, recall, 0.0, 1.0, 0.0)
        for images, recall in [*((100, recall) for recall in recalls), (0, 0.0)]
    ]
    assert blind_spots(table) == [3, 1]


def test_classes_confused_with_each_other_are_side_by_side() -> None:
    rng = np.random.default_rng(0)
    family = rng.permutation(np.repeat(np.arange(20), 5))
    labels = np.repeat(np.arange(100), 40)
    relative = np.array([rng.choice(np.flatnonzero(family == family[label])) for label in labels])
    stray = np.where(rng.random(len(labels)) < 0.1, rng.integers(100, size=len(labels)), relative)
    matrix = confusion(labels, stray, 100)
    assert matrix[labels[0], stray[0]] > 0 and matrix.sum() == len(labels)
    order = similar_together(matrix)
    assert sorted(order) == list(range(100))
    assert (np.diff(family[order]) != 0).sum() == 19, "a family is not in one piece"
    assert similar_together(np.array([[3, 0], [1, 2]])).tolist() in ([0, 1], [1, 0])
