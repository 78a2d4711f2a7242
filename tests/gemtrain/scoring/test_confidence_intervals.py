"""Intervals that hold what they promise, and calibration against numbers worked out by hand."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemtrain.evaluation.compare import compare
from gemtrain.evaluation.metrics import macro, macro_intervals, per_class
from gemtrain.evaluation.predictions import Predictions
from gemtrain.scoring.calibration import (
    brier,
    calibration_error,
    fit_temperature,
    log_loss,
    reliability,
    tempered,
)
from gemtrain.scoring.confidence_intervals import GroupBootstrap, interval, sign_probability, wilson


def clustered(rng: np.random.Generator, groups: int = 100) -> tuple[np.ndarray, list[str]]:
    """Hits of photos whose groups share a chance, 0.6 on average over photos, and their groups."""
    sizes = rng.integers(1, 9, groups)
    chance = rng.beta(0.6, 0.4, groups).repeat(sizes)
    return rng.random(len(chance)) < chance, np.arange(groups).repeat(sizes).astype(str).tolist()


@pytest.mark.heavy
def test_the_bootstrap_by_group_covers_the_truth_and_one_by_photo_does_not() -> None:
    rng = np.random.default_rng(7)
    covered = {"group": 0, "photo": 0}
    for _ in range(150):
        hits, groups = clustered(rng)
        for kind, names in (("group", groups), ("photo", [str(row) for row in range(len(hits))])):
            low, high = GroupBootstrap(names, draws=200).mean(hits)
            covered[kind] += low <= 0.6 <= high
    assert 0.89 <= covered["group"] / 150 <= 0.99
    assert covered["photo"] / 150 < 0.80


def test_the_bootstrap_is_the_same_again_and_as_wide_as_theory_says() -> None:
    hits = np.arange(400) % 4 == 0
    first, second = (GroupBootstrap([str(row) for row in range(400)]).mean(hits) for _ in range(2))
    assert first == second
    spread = 1.96 * np.sqrt(0.25 * 0.75 / 400)
    assert first == pytest.approx((0.25 - spread, 0.25 + spread), abs=0.01)
    assert GroupBootstrap(["a", "b"]).mean(np.ones(2)) == (1, 1)


@pytest.mark.heavy
def test_2000_draws_of_20000_photos_and_100_classes_take_less_than_two_seconds() -> None:
    rng = np.random.default_rng(0)
    labels, probabilities = rng.integers(100, size=20_000), rng.random((20_000, 100))
    start = time.process_time()
    bootstrap = GroupBootstrap((np.arange(20_000) // 3).astype(str).tolist())
    for _ in range(5):
        bootstrap.mean(labels < 50)
    macro_intervals(labels, probabilities, bootstrap)
    assert time.process_time() - start < 4  # two on an idle machine; tests share theirs


def test_macro_intervals_lie_around_the_scores() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(5, size=600)
    probabilities = rng.dirichlet(np.ones(5), 600) + 0.3 * np.eye(5)[labels]
    groups = (np.arange(600) // 4).astype(str).tolist()
    scores = macro(per_class(labels, probabilities, groups))
    for key, (low, high) in macro_intervals(labels, probabilities, GroupBootstrap(groups)).items():
        assert low < scores[key] < high and 0.02 < high - low < 0.15


def test_wilson_by_hand_and_with_groups() -> None:
    low, high = wilson(0.8, [1] * 10)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0.8, [3] * 10) == pytest.approx((low, high))
    assert wilson(0.8, [28, 1, 1])[1] - wilson(0.8, [28, 1, 1])[0] > high - low
    assert wilson(1.0, [1] * 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert wilson(0.0, []) == (0, 1)


@given(st.floats(0, 1), st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_wilson_lies_around_the_share(share: float, sizes: list[int]) -> None:
    low, high = wilson(share, sizes)
    assert -1e-9 <= low <= share + 1e-9 and share - 1e-9 <= high <= 1 + 1e-9


def test_how_easily_a_sign_is_chance() -> None:
    assert sign_probability(np.ones(1999)) == pytest.approx(2 / 2000)
    assert sign_probability(np.zeros(1999)) == 1
    assert sign_probability(np.array([-1.0] * 99 + [1.0] * 1900)) == pytest.approx(0.1)
    assert interval(np.arange(1001)) == pytest.approx((25, 975))


def model_of(
    hits: np.ndarray, groups: list[str], labels: np.ndarray, varieties: list[str], prefix: str = "photo"
) -> Predictions:
    """A model that is right where `hits` says, and else takes the next class."""
    taken = np.where(hits, labels, (labels + 1) % len(varieties))
    return Predictions(
        [f"{prefix} {row}" for row in range(len(labels))],
        groups, labels, np.eye(len(varieties), dtype=np.float32)[taken], varieties, [None] * len(varieties),
    )  # fmt: skip


@pytest.mark.heavy
def test_a_difference_that_is_there_is_found_and_one_that_is_not_is_not() -> None:
    rng = np.random.default_rng(2)
    found = {"same": 0, "better": 0}
    for _ in range(25):
        hits, groups = clustered(rng)
        labels = rng.integers(4, size=len(hits))
        # Two models that fail mostly on the same stones: their own intervals overlap widely.
        chance = np.where(hits, 0.9, 0.1)
        models = {
            name: model_of(rng.random(len(hits)) < chance + more, groups, labels, list("abcd"))
            for name, more in (("first", 0.0), ("same", 0.0), ("better", 0.1))
        }
        for name in found:
            compared = compare(models["first"], models[name])
            assert compared is not None
            found[name] += compared.scores[0].p < 0.05
    assert found["same"] <= 4 and found["better"] >= 18


def test_models_are_compared_on_what_both_have() -> None:
    labels = np.array([0, 1, 2, 0, 1, 2])
    first = model_of(np.array([1, 0, 1, 0, 1, 1], bool), list("aabbcc"), labels, ["ruby", "topaz", "opal"])
    # The same photos in other order, without topaz; photo 5 is called ruby here.
    rows = [5, 3, 2, 0]
    second = Predictions(
        [f"photo {row}" for row in rows], list("cbba"), np.array([1, 1, 0, 1]),
        np.array([[0.1, 0.9], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3]], np.float32),
        ["opal", "ruby"], [None, None],
    )  # fmt: skip
    compared = compare(first, second)
    assert compared is not None
    assert (compared.photos, compared.groups, compared.classes) == (3, 2, 2)
    # Photos 0, 2, 3. The first takes 3 for topaz, which it may not say here: of equals the first class wins.
    assert compared.scores[0].first == 1 and compared.scores[0].second == pytest.approx(1 / 3)
    assert compared.scores[1].difference == 0
    assert (
        compare(first, model_of(np.ones(2, bool), ["a", "a"], np.array([0, 1]), ["opal", "ruby"], "x"))
        is None
    )
    assert compare(first, model_of(np.ones(2, bool), ["a", "a"], np.array([0, 1]), ["jet", "ruby"])) is None


LABELS = np.array([0, 1, 0, 1])
PROBABILITIES = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])


def test_calibration_by_hand() -> None:
    assert log_loss(LABELS, PROBABILITIES) == pytest.approx(-np.log([0.9, 0.4, 0.7, 0.8]).mean())
    assert brier(LABELS, PROBABILITIES) == pytest.approx(2 * (0.01 + 0.36 + 0.09 + 0.04) / 4)
    # By confidence: 0.6 wrong, 0.7 right; 0.8 right, 0.9 right.
    bins = reliability(LABELS, PROBABILITIES, 2)
    assert [row.images for row in bins] == [2, 2]
    assert [row.confidence for row in bins] == pytest.approx([0.65, 0.85])
    assert [row.accuracy for row in bins] == [0.5, 1.0]
    assert calibration_error(LABELS, PROBABILITIES, 2) == pytest.approx(0.5 * 0.15 + 0.5 * 0.15)
    assert calibration_error(LABELS, PROBABILITIES) == pytest.approx((0.6 + 0.3 + 0.2 + 0.1) / 4)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_is_recovered(temperature: float) -> None:
    rng = np.random.default_rng(3)
    honest = tempered(rng.dirichlet(np.ones(6), 20_000), 0.5)
    labels = (rng.random((len(honest), 1)) > honest.cumsum(1)).sum(1)
    said = tempered(honest, 1 / temperature).astype(np.float32)
    assert fit_temperature(labels, said) == pytest.approx(temperature, rel=0.05)
    assert calibration_error(labels, tempered(said, temperature)) < 0.015
    if temperature != 1.0:
        assert calibration_error(labels, said) > 0.04


def test_a_temperature_of_certain_answers_is_bounded() -> None:
    certain = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    assert 0.1 <= fit_temperature(np.array([0, 1, 2, 0]), certain) <= 10
    assert 0.1 <= fit_temperature(np.array([1, 2, 0, 1]), certain) <= 10


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(2, 6), st.floats(0.1, 10), st.integers(0, 10_000))
def test_a_temperature_changes_no_answer(images: int, classes: int, temperature: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.5), images).astype(np.float32)
    labels, changed = rng.integers(classes, size=images), tempered(probabilities, temperature)
    assert np.allclose(changed.sum(1), 1)
    best = changed[np.arange(images), probabilities.argmax(1)]
    assert np.allclose(best, changed.max(1))
    bins = reliability(labels, changed)
    assert sum(row.images for row in bins) == images
    assert max(row.images for row in bins) - min(row.images for row in bins) <= 1
    assert 0 <= calibration_error(labels, changed) <= 1 and 0 <= brier(labels, changed) <= 2
