"""Selective prediction: which predictions are accepted as sure, by a threshold fitted on validation."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gemkit.arrays import Array, Bools, Ints
from gemkit.stats.calibration import apply_temperature, fit_temperature
from gemkit.stats.confidence_intervals import wilson
from gemtrain.data.dataset import Split
from gemtrain.models.classifier import Classifier
from gemtrain.scoring.model_outputs import predict

#: The least accuracy on accepted validation images, and the least lower end of its 95 % interval.
_MIN_ACCURACY, _MIN_LOWER_END = 0.95, 0.85


@dataclass(frozen=True)
class Confidence:
    """How far a model can be trusted.

    `temperature` calibrates its probabilities; it is 1 if the validation split had too few errors to fit one,
    and then they are the network's own. Predictions of at least the confidence `threshold`, in whole per
    cent, are accepted. None: no threshold was accurate enough on the validation split.
    """

    temperature: float
    threshold: float | None

    @property
    def is_fitted(self) -> bool:
        """Whether a temperature was fitted, so that the probabilities are calibrated."""
        return self.temperature != 1

    def calibrated(self, probabilities: Array) -> Array:
        """The model's probabilities [N, classes], calibrated."""
        return apply_temperature(probabilities, self.temperature)

    def is_accepted(self, calibrated: Array) -> Bools:
        """Which images the model is sure of, [N] bool."""
        accepted: Bools = calibrated.max(axis=1) >= (np.inf if self.threshold is None else self.threshold)
        return accepted


def fit_model_confidence(
    model: Classifier, validation: Split, image_size: int, views: int, device: torch.device
) -> Confidence:
    """The confidence of a trained model that sees `views` orientations of images of `image_size` pixels."""
    pixels = validation.pixels(image_size, model.mean.numel())
    probabilities, _ = predict(model, pixels, device, views)
    return fit_confidence(validation.labels.numpy(), probabilities, validation.groups)


def fit_confidence(labels: Ints, probabilities: Array, groups: Sequence[str]) -> Confidence:
    """Fit temperature and threshold to the labels [N], probabilities [N, classes] and groups of validation
    images.

    The threshold is the lowest at which 95 % of the images of that confidence or more are correct, and 85 %
    at the lower end of the share's Wilson interval, in which images of one group count as dependent. It is
    not lower than the whole per cent below the lowest confidence seen, because nothing is known about lower
    ones. On new images the share is a little below 95 %, because the threshold is the best of many. The idea
    is that of Geifman and El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS 2017, whose
    bound needs thousands of images.
    """
    temperature = fit_temperature(labels, probabilities)
    calibrated = apply_temperature(probabilities, temperature)
    confidence, correct = calibrated.max(axis=1), calibrated.argmax(axis=1) == labels
    group_names = np.asarray(groups)
    for percent in range(min(99, int(100 * confidence.min())), 100):
        accepted = confidence >= percent / 100
        if not accepted.any():
            break
        share = float(correct[accepted].mean())
        if (
            share >= _MIN_ACCURACY
            and wilson(share, Counter(group_names[accepted]).values()).low >= _MIN_LOWER_END
        ):
            return Confidence(temperature, percent / 100)
    return Confidence(temperature, None)
