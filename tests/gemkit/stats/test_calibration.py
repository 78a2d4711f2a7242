"""Calibration against numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemkit.stats.calibration import (
    apply_temperature,
    brier,
    calibration_error,
    fit_temperature,
    log_loss,
    reliability,
)

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
    calibrated = apply_temperature(rng.dirichlet(np.ones(6), 20_000), 0.5)
    labels = (rng.random((len(calibrated), 1)) > calibrated.cumsum(1)).sum(1)
    miscalibrated = apply_temperature(calibrated, 1 / temperature).astype(np.float32)
    assert fit_temperature(labels, miscalibrated) == pytest.approx(temperature, rel=0.05)
    assert calibration_error(labels, apply_temperature(miscalibrated, temperature)) < 0.015
    if temperature != 1.0:
        assert calibration_error(labels, miscalibrated) > 0.04


def test_the_temperature_of_certain_predictions_is_bounded() -> None:
    certain = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    assert 0.1 <= fit_temperature(np.array([0, 1, 2, 0]), certain) <= 10
    assert 0.1 <= fit_temperature(np.array([1, 2, 0, 1]), certain) <= 10


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(2, 6), st.floats(0.1, 10), st.integers(0, 10_000))
def test_a_temperature_changes_no_prediction(
    images: int, classes: int, temperature: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.5), images).astype(np.float32)
    labels, changed = rng.integers(classes, size=images), apply_temperature(probabilities, temperature)
    assert np.allclose(changed.sum(1), 1)
    best = changed[np.arange(images), probabilities.argmax(1)]
    assert np.allclose(best, changed.max(1))
    bins = reliability(labels, changed)
    assert sum(row.images for row in bins) == images
    assert max(row.images for row in bins) - min(row.images for row in bins) <= 1
    assert 0 <= calibration_error(labels, changed) <= 1 and 0 <= brier(labels, changed) <= 2
