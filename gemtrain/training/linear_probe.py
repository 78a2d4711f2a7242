"""A last layer that is fitted as a whole instead of learnt in steps: on the features of a frozen network."""

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gemtrain.scoring.calibration import best_temperature, log_loss, softmax

#: Tried one after the other: scikit-learn's C, the weight of the data against that of small weights.
_STRENGTHS = (0.001, 0.01, 0.1)
_ITERATIONS = 1000
#: Frozen features are kept in half precision: what varies less than this share of its mean is rounding alone.
_ROUNDING = 2.0**-10


def fit_head(
    head: nn.Linear,
    kind: str,
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    seed: int,
) -> dict[str, Any]:
    """Fill a last layer from features [N, width] and labels [N]; its row of the history.

    "linear" is a multinomial logistic regression. "svm" is one linear support vector machine a class against
    all others, whose margins become logits by one temperature, fitted on the validation split. Features are
    brought to mean 0 and deviation 1 first, which the layer's weights then contain; those that do not vary
    get no weight. The strength of highest validation accuracy (then of lowest loss) is kept.
    """
    features, labels = train[0].float().numpy(), train[1].numpy()
    seen, answers = validation[0].float().numpy(), validation[1].numpy()
    # Of many rows a mean in single precision is rounded so far that what is the same seems to vary.
    mean, deviation = (
        measured(axis=0, dtype=np.float64).astype(np.float32) for measured in (features.mean, features.std)
    )
    deviation[deviation <= _ROUNDING * abs(mean)] = np.inf
    features, seen = (features - mean) / deviation, (seen - mean) / deviation
    best: tuple[float, float] | None = None
    for strength in _STRENGTHS:
        weights, bias = _fit(kind, strength, features, labels, seed)
        temperature = best_temperature(answers, softmax(seen @ weights.T + bias)) if kind == "svm" else 1.0
        weights, bias = weights / temperature, bias / temperature
        row = {"epoch": 1, "stage": 1, "learning_rate": 0.0}
        for side, (values, truth) in {"train": (features, labels), "validation": (seen, answers)}.items():
            probabilities = softmax(values @ weights.T + bias)
            row[f"{side}_loss"] = log_loss(truth, probabilities)
            row[f"{side}_accuracy"] = float((probabilities.argmax(1) == truth).mean())
        score = (row["validation_accuracy"], -row["validation_loss"])
        if best is None or score > best:
            best, kept = score, row
            scaled = weights / deviation
            state = {"weight": torch.from_numpy(scaled), "bias": torch.from_numpy(bias - scaled @ mean)}
    head.load_state_dict(state)
    return kept


def _fit(
    kind: str, strength: float, features: np.ndarray, labels: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weights [classes, width] and biases [classes]."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    if kind == "linear":
        model = LogisticRegression(C=strength, max_iter=_ITERATIONS)
    else:
        model = LinearSVC(C=strength, dual=False, max_iter=_ITERATIONS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # as good as the validation split says
        model.fit(features, labels)
    weights, bias = model.coef_, model.intercept_
    if len(weights) == 1:  # of two classes scikit-learn fits the second alone
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return weights, bias
