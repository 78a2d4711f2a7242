"""A last layer fitted on the features of a frozen network by a solver instead of by gradient steps."""

import warnings

import numpy as np
import torch
from torch import Tensor, nn

from gemkit.arrays import Array, Ints
from gemkit.stats.calibration import best_temperature, log_loss, softmax
from gemtrain.data.dataset import Dataset
from gemtrain.model_metadata import EpochResult
from gemtrain.models.classifier import Classifier
from gemtrain.recipe import Recipe
from gemtrain.training.examples import part_features

#: Values tried of scikit-learn's C, the inverse regularisation strength.
_STRENGTHS = (0.001, 0.01, 0.1)
_ITERATIONS = 1000
#: Frozen features are in half precision: a deviation below this share of the mean is rounding error.
_ROUNDING = 2.0**-10


def fit_classifier(
    model: Classifier, dataset: Dataset, recipe: Recipe, kind: str, seed: int, device: torch.device
) -> EpochResult:
    """Fit the last layer on frozen features, without steps; returns the only row of the history."""
    train, validation = dataset.splits["train"], dataset.splits["validation"]
    features, validation_features = part_features(
        model, model.head, model.embed, dataset, recipe, torch.arange(len(train)), device
    )
    return fit_head(
        model.head, kind, (features, train.labels), (validation_features, validation.labels), seed
    )


def fit_head(
    head: nn.Linear,
    kind: str,
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    seed: int,
) -> EpochResult:
    """Fit a last layer to features [N, width] and labels [N]; returns its row of the history.

    "linear" is a multinomial logistic regression. "svm" is a linear support vector machine per class, one
    against the rest, whose margins become logits by one temperature fitted on the validation split. Features
    are first standardised to mean 0 and deviation 1, which is folded into the layer's weights; constant
    features get weight 0. The regularisation strength with the highest validation accuracy (then the lowest
    loss) is selected.
    """
    features, labels = train[0].float().numpy(), train[1].numpy()
    validation_features, validation_labels = validation[0].float().numpy(), validation[1].numpy()
    # Over many rows a single-precision mean is so inexact that constant features seem to vary.
    mean, deviation = (
        statistic(axis=0, dtype=np.float64).astype(np.float32) for statistic in (features.mean, features.std)
    )
    deviation[deviation <= _ROUNDING * abs(mean)] = np.inf
    features, validation_features = (features - mean) / deviation, (validation_features - mean) / deviation
    best: tuple[float, float] | None = None
    for strength in _STRENGTHS:
        weights, bias = _fit(kind, strength, features, labels, seed)
        temperature = (
            best_temperature(validation_labels, softmax(validation_features @ weights.T + bias))
            if kind == "svm"
            else 1.0
        )
        weights, bias = weights / temperature, bias / temperature
        scores = {}
        for split, (values, truth) in {
            "train": (features, labels),
            "validation": (validation_features, validation_labels),
        }.items():
            probabilities = softmax(values @ weights.T + bias)
            scores[f"{split}_loss"] = log_loss(truth, probabilities)
            scores[f"{split}_accuracy"] = float((probabilities.argmax(1) == truth).mean())
        row = EpochResult(epoch=1, stage=1, learning_rate=0.0, **scores)
        score = (row.validation_accuracy, -row.validation_loss)
        if best is None or score > best:
            best, best_row = score, row
            scaled = weights / deviation
            state = {"weight": torch.from_numpy(scaled), "bias": torch.from_numpy(bias - scaled @ mean)}
    head.load_state_dict(state)
    return best_row


def _fit(kind: str, strength: float, features: Array, labels: Ints, seed: int) -> tuple[Array, Array]:
    """Weights [classes, width] and biases [classes]."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    if kind == "linear":
        model = LogisticRegression(C=strength, max_iter=_ITERATIONS)
    else:
        model = LinearSVC(C=strength, dual=False, max_iter=_ITERATIONS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the validation split is the judge
        model.fit(features, labels)
    weights, bias = model.coef_, model.intercept_
    if len(weights) == 1:  # for two classes scikit-learn fits only the second
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return weights, bias
