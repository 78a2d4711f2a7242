"""Confidence intervals cover the truth as often as they should."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemkit.stats.confidence_intervals import GroupBootstrap, interval, sign_probability, wilson
from gemtrain.evaluation.metrics import macro, macro_intervals, per_class
from tests.helpers.clustered_hits import clustered


@pytest.mark.heavy
def test_the_bootstrap_by_group_covers_the_truth_and_one_by_image_does_not() -> None:
    rng = np.random.default_rng(7)
    covered = {"group": 0, "image": 0}
    for _ in range(150):
        hits, groups = clustered(rng)
        for kind, names in (("group", groups), ("image", [str(row) for row in range(len(hits))])):
            low, high = GroupBootstrap(names, draws=200).mean(hits)
            covered[kind] += low <= 0.6 <= high
    assert 0.89 <= covered["group"] / 150 <= 0.99
    assert covered["image"] / 150 < 0.80


def test_the_bootstrap_is_reproducible_and_as_wide_as_in_theory() -> None:
    hits = np.arange(400) % 4 == 0
    first, second = (GroupBootstrap([str(row) for row in range(400)]).mean(hits) for _ in range(2))
    assert first == second
    spread = 1.96 * np.sqrt(0.25 * 0.75 / 400)
    assert first == pytest.approx((0.25 - spread, 0.25 + spread), abs=0.01)
    assert GroupBootstrap(["a", "b"]).mean(np.ones(2)) == (1, 1)


@pytest.mark.heavy
def test_2000_draws_of_20000_images_and_100_classes_take_less_than_two_seconds() -> None:
    rng = np.random.default_rng(0)
    labels, probabilities = rng.integers(100, size=20_000), rng.random((20_000, 100))
    start = time.process_time()
    bootstrap = GroupBootstrap((np.arange(20_000) // 3).astype(str).tolist())
    for _ in range(5):
        bootstrap.mean(labels < 50)
    macro_intervals(labels, probabilities, bootstrap)
    assert time.process_time() - start < 4  # two on an idle machine; tests share theirs


def test_macro_intervals_contain_the_scores() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(5, size=600)
    probabilities = rng.dirichlet(np.ones(5), 600) + 0.3 * np.eye(5)[labels]
    groups = (np.arange(600) // 4).astype(str).tolist()
    scores = macro(per_class(labels, probabilities, groups))
    ends = macro_intervals(labels, probabilities, GroupBootstrap(groups))
    for score, (low, high) in zip(scores, ends, strict=True):
        assert low < score < high and 0.02 < high - low < 0.15


def test_wilson_by_hand_and_with_groups() -> None:
    low, high = wilson(0.8, [1] * 10)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0.8, [3] * 10) == pytest.approx((low, high))
    assert wilson(0.8, [28, 1, 1])[1] - wilson(0.8, [28, 1, 1])[0] > high - low
    assert wilson(1.0, [1] * 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert wilson(0.0, []) == (0, 1)


# A process that trains computes without subnormal numbers.
@given(st.floats(0, 1, allow_subnormal=False), st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_wilson_contains_the_share(share: float, sizes: list[int]) -> None:
    low, high = wilson(share, sizes)
    assert -1e-9 <= low <= share + 1e-9 and share - 1e-9 <= high <= 1 + 1e-9


def test_the_probability_that_a_sign_is_chance() -> None:
    assert sign_probability(np.ones(1999)) == pytest.approx(2 / 2000)
    assert sign_probability(np.zeros(1999)) == 1
    assert sign_probability(np.array([-1.0] * 99 + [1.0] * 1900)) == pytest.approx(0.1)
    assert interval(np.arange(1001)) == pytest.approx((25, 975))
