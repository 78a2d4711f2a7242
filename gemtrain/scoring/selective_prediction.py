"""When a model is sure: learnt on the validation split, which it did not train on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gemtrain.data.dataset import Split
from gemtrain.models.classifier import Classifier
from gemtrain.scoring.calibration import fit_temperature, tempered
from gemtrain.scoring.confidence_intervals import wilson
from gemtrain.scoring.model_outputs import predict

#: Of the validation photos that a model is sure of: the least share that is right, and the least that the
#: lower end of the share's 95 % interval may be.
_RIGHT, _LEAST = 0.95, 0.85


@dataclass(frozen=True)
class Confidence:
    """`temperature` makes probabilities calibrated; a model is sure from the confidence `threshold` on, in
    whole per cent. None: on the validation split nothing shows that it can be sure of anything."""

    temperature: float
    threshold: float | None

    def calibrated(self, probabilities: np.ndarray) -> np.ndarray:
        """Probabilities [N, classes] as a model gives them → those that may be believed."""
        return tempered(probabilities, self.temperature)

    def is_sure(self, calibrated: np.ndarray) -> np.ndarray:
        """Of which photos the model is sure, [N] bool."""
        return calibrated.max(axis=1) >= (np.inf if self.threshold is None else self.threshold)


def learn_confidence(
    model: Classifier, validation: Split, image_size: int, views: int, device: torch.device
) -> Confidence:
    """The confidence of a trained model that sees `views` orientations of images of `image_size` pixels."""
    pixels = validation.pixels(image_size, model.mean.numel())
    probabilities, _ = predict(model, pixels, device, views)
    return fit_confidence(validation.labels.numpy(), probabilities, validation.groups)


def fit_confidence(labels: np.ndarray, probabilities: np.ndarray, groups: Sequence[str]) -> Confidence:
    """From labels [N], probabilities [N, classes] and groups of validation photos.

    The threshold is the lowest at which 95 % of the photos of that confidence or more are right, and 85 % at
    the lower end of the share's Wilson interval, in which photos of one group count as dependent. It is no
    lower than the whole per cent below the lowest confidence seen: of what lies below nothing is known. On
    new photos the share is a little below 95 %, because the threshold is the best of many. The idea of
    Geifman and El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS 2017, whose bound asks
    for thousands of photos.
    """
    temperature = fit_temperature(labels, probabilities)
    calibrated = tempered(probabilities, temperature)
    confidence, right = calibrated.max(axis=1), calibrated.argmax(axis=1) == labels
    names = np.asarray(groups)
    for percent in range(min(99, int(100 * confidence.min())), 100):
        accepted = confidence >= percent / 100
        if not accepted.any():
            break
        share = float(right[accepted].mean())
        if share >= _RIGHT and wilson(share, Counter(names[accepted]).values()).low >= _LEAST:
            return Confidence(temperature, percent / 100)
    return Confidence(temperature, None)
