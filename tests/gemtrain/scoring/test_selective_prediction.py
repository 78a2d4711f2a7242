"""When a model is sure: on simulated probabilities."""

import numpy as np
import pytest

from gemtrain.inference.predict import summary
from gemtrain.scoring.selective_prediction import Confidence, fit_confidence


def drawn(
    seed: int, images: int, spread: float, a_group: int = 1
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Labels, probabilities of an overconfident network, and groups of images with one label.

    The larger the spread of the logits, the easier the images.
    """
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, spread, (images // a_group, 9))
    # The largest of logits and Gumbel noise is drawn with their softmax.
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    names = np.arange(len(labels)).astype(str)
    probabilities = np.exp(2 * logits) / np.exp(2 * logits).sum(1, keepdims=True)
    return labels.repeat(a_group), probabilities.repeat(a_group, axis=0), names.repeat(a_group).tolist()


@pytest.mark.parametrize(("images", "spread"), [(300, 8), (400, 4), (150, 6)])
def test_accepted_predictions_are_correct(images: int, spread: float) -> None:
    labels, probabilities, _ = drawn(1000, 10_000, spread)
    accuracies, shares, temperatures = [], [], []
    for seed in range(12):
        confidence = fit_confidence(*drawn(seed, images, spread))
        calibrated = confidence.calibrated(probabilities)
        accepted = confidence.is_accepted(calibrated)
        accuracies.append((calibrated.argmax(1) == labels)[accepted].mean())
        shares.append(accepted.mean())
        temperatures.append(confidence.temperature)
    assert np.mean(temperatures) == pytest.approx(2, abs=0.2)
    assert np.mean(accuracies) > 0.93 and min(accuracies) > 0.85
    assert np.mean(shares) > 0.35
    assert np.mean(accuracies) > (probabilities.argmax(1) == labels).mean() + 0.03


def test_no_threshold_without_evidence_on_validation() -> None:
    hopeless = drawn(0, 400, 0.5)
    assert fit_confidence(*hopeless).threshold is None
    few = drawn(0, 12, 20)
    assert fit_confidence(*few).threshold is None
    # As many images, but all of a few stones.
    labels, probabilities, groups = drawn(0, 300, 20, a_group=30)
    assert fit_confidence(labels, probabilities, groups).threshold is None
    assert fit_confidence(labels, probabilities, [str(row) for row in range(300)]).threshold is not None


def test_the_threshold_is_not_below_the_lowest_confidence_seen() -> None:
    labels = np.arange(200) % 2
    probabilities = np.where(labels[:, None] == [0, 1], 0.8, 0.2)
    confidence = fit_confidence(labels, probabilities, labels.astype(str).tolist())
    assert confidence.threshold is None  # two groups
    confidence = fit_confidence(labels, probabilities, [str(row) for row in range(200)])
    lowest = confidence.calibrated(probabilities).max(1).min()
    assert confidence.threshold is not None and lowest - 0.01 <= confidence.threshold <= lowest


def test_a_model_that_is_always_certain_and_correct_has_a_threshold() -> None:
    labels = np.arange(200) % 2
    probabilities = np.where(labels[:, None] == [0, 1], 1.0, 0.0)
    confidence = fit_confidence(labels, probabilities, [str(row) for row in range(200)])
    assert confidence.threshold == 0.99 and confidence.is_accepted(confidence.calibrated(probabilities)).all()


def test_nothing_is_accepted_without_a_threshold() -> None:
    probabilities = np.array([[0.5, 0.5], [0.51, 0.49], [0.49, 0.48]])
    assert Confidence(1.0, 0.5).is_accepted(probabilities).tolist() == [True, True, False]
    assert not Confidence(1.0, None).is_accepted(np.array([[1.0, 0.0]])).any()
    assert "never sure" in summary([], None)
