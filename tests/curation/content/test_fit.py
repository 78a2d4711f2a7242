"""A head learns the classes of other sources, stays near a known one, and weighs sources equally."""

import numpy as np
import pytest

from curation.content.evaluate import (
    class_figures,
    dropped_out_of_fold,
    fold_numbers,
    out_of_fold,
    over_sources,
    scaled,
)
from curation.content.fit import Examples, example_weights, extended, fit_head
from tests.helpers.features import examples_of

CLASSES = ("cut", "hand", "several")


def test_a_head_tells_classes_of_sources_that_it_has_not_seen() -> None:
    examples = examples_of(CLASSES, sources=5, each=4)
    probabilities = out_of_fold(examples, CLASSES)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities.argmax(axis=1) == examples.labels(CLASSES)).mean() > 0.9
    figures = list(class_figures(examples, CLASSES, probabilities, "cut"))
    assert [(row.name, row.pictures, row.sources) for row in figures] == [("hand", 20, 5), ("several", 20, 5)]
    assert min(row.auc.value for row in figures) > 0.95


def test_labels_that_say_nothing_are_not_learnt() -> None:
    examples = examples_of(("cut",), sources=10, each=8)
    shuffled = examples._replace(content=np.random.default_rng(1).choice(CLASSES, 80).tolist())
    figures = list(class_figures(shuffled, CLASSES, out_of_fold(shuffled, CLASSES), "cut"))
    assert max(abs(row.auc.value - 0.5) for row in figures) < 0.25


def test_a_source_is_in_one_fold_and_folds_share_the_classes() -> None:
    examples = examples_of(CLASSES, sources=10, each=3)
    folds = fold_numbers(examples, CLASSES)
    for source in set(examples.source):
        assert len(set(folds[np.array(examples.source) == source])) == 1
    for content in CLASSES:
        assert np.bincount(folds[np.array(examples.content) == content]).tolist() == [6] * 5


def test_sources_of_a_class_count_the_same() -> None:
    content, source = ["cut"] * 10 + ["hand"] * 2, ["large"] * 9 + ["small"] + ["a", "b"]
    weights = example_weights(Examples(np.zeros((12, 1, 1280)), content, source))
    assert weights.sum() == pytest.approx(12)
    assert weights[:9].sum() == pytest.approx(weights[9])
    assert weights[:10].sum() / weights[10:].sum() == pytest.approx((10 / 2) ** 0.5)


def test_few_pictures_leave_a_known_head_nearly_as_it_is() -> None:
    known = fit_head(examples_of(CLASSES, sources=8, each=4), CLASSES)
    few = examples_of((*CLASSES, "beads"), sources=2, each=2, seed=1)
    classes = (*CLASSES, "beads")
    moved = fit_head(few, classes, known)
    assert np.linalg.norm(moved.weights[:, :3] - known.weights) < 0.5 * np.linalg.norm(known.weights)
    beads = np.array(few.content) == "beads"
    before, after = (
        head.probabilities(few.features[beads, 0])[:, 3] for head in (extended(known, classes), moved)
    )
    assert before.max() < 0.2 and (after > before).all()


def test_classes_without_pictures_stay_known() -> None:
    known = fit_head(examples_of(CLASSES, sources=8, each=4), CLASSES)
    moved = fit_head(examples_of(("cut", "hand"), sources=8, each=12, seed=1), CLASSES, known)
    several = examples_of(("several",), sources=4, each=5, seed=2).features[:, 0]
    np.testing.assert_array_equal(moved.weights[:, 2], known.weights[:, 2])
    assert (moved.probabilities(several).argmax(axis=1) == 2).mean() > 0.9


def test_classes_that_a_head_lacks_change_the_others_little() -> None:
    examples = examples_of(CLASSES, sources=4, each=2)
    known = fit_head(examples, CLASSES)
    more = extended(known, ("beads", *CLASSES)).probabilities(examples.features[:, 0])
    np.testing.assert_allclose(
        more[:, 1:] / more[:, 1:].sum(axis=1, keepdims=True),
        known.probabilities(examples.features[:, 0]),
        1e-5,
    )


def test_a_temperature_above_one_softens() -> None:
    examples = examples_of(CLASSES, sources=4, each=2)
    head = fit_head(examples, CLASSES)
    sharp, soft = (h.probabilities(examples.features[:, 0]).max(axis=1) for h in (head, scaled(head, 3)))
    assert (soft < sharp).all()


def test_the_threshold_of_a_fold_is_of_the_other_folds() -> None:
    examples = examples_of(("cut", "hand"), sources=5, each=20)
    likely = np.where(np.array(examples.content) == "cut", 0.9, 0.1)
    probabilities = np.stack([likely, 1 - likely], axis=1)
    # One shop's stones look like nothing that is kept: the others' threshold drops all of them.
    odd = (np.array(examples.source) == "shop 0") & (np.array(examples.content) == "cut")
    probabilities[odd] = [0.2, 0.8]
    dropped = dropped_out_of_fold(examples, ("cut", "hand"), probabilities, ["cut"], 0.02)
    assert dropped[odd].all() and not dropped[(likely > 0.5) & ~odd].any()


def test_an_interval_over_sources_is_wider_than_over_pictures() -> None:
    values = np.repeat([0.0, 1.0, 1.0, 0.0, 1.0], 40)
    by_shop = over_sources(lambda rows: values[rows].mean(), np.repeat(list("abcde"), 40))
    by_picture = over_sources(lambda rows: values[rows].mean(), np.arange(200))
    assert by_shop.value == by_picture.value == 0.6
    assert by_shop.interval.high - by_shop.interval.low > 3 * (
        by_picture.interval.high - by_picture.interval.low
    )
