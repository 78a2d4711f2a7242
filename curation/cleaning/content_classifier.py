"""Classify what an image shows: the probability of each content class, summing to 1.

Softmax regression over named measurements and their squares, so that both high and low values can count
against a class. The weights (`content_weights.py`) are fitted to the demo store by
`tools/train_content_classifier.py`.
"""

from collections.abc import Mapping

import numpy as np

from curation.cleaning.content_weights import SQUARES, WEIGHTS
from curation.measurement.shape_features import FEATURE_NAMES

CONTENT_CLASSES = ("stone", "several", "hand", "no_stone", "unclear", "printed")

#: Columns of MEASURED that are inputs besides the shape features.
MEASUREMENTS = (
    "clipped_share", "sharpness", "background_uniformity", "background_residual", "skin_border_share",
    "stones", "stone_share", "stone_elongation", "stroke_density",
)  # fmt: skip
INPUTS = (*MEASUREMENTS, "background_chroma", "stone_width", "stone_height", *FEATURE_NAMES)

#: Inputs whose ratios matter: x is replaced by log(1 + x).
_LOG_SCALED = (
    "sharpness", "background_residual", "stones", "stone_elongation", "background_chroma", "components",
    "large_components", "hull_corners", "centre_contrast", "gradient_inside", "gradient_outside",
    "ring_chroma", "border_component_chroma_spread", "border_component_chroma_spread_90",
)  # fmt: skip
#: Inputs are clipped to this many standard deviations from the mean.
_MAX_DEVIATIONS = 3.0


def inputs(measured: Mapping[str, np.ndarray]) -> np.ndarray:
    """The classifier's inputs, count × INPUTS, float64.

    `measured` holds columns of MEASURED: numbers, and `background_lab`, `stone_box` and `shape_features` as
    rows of vectors.
    """
    box = measured["stone_box"]
    values = np.column_stack(
        [
            *(measured[name] for name in MEASUREMENTS),
            np.hypot(*measured["background_lab"].T[1:]),
            box[:, 2] - box[:, 0],
            box[:, 3] - box[:, 1],
            measured["shape_features"],
        ]
    ).astype(np.float64)
    log_scaled = [INPUTS.index(name) for name in _LOG_SCALED]
    values[:, log_scaled] = np.log1p(values[:, log_scaled])
    return values


def standardised(values: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Inputs in standard deviations from the mean, followed by their squares."""
    away = np.clip((values - mean) / deviation, -_MAX_DEVIATIONS, _MAX_DEVIATIONS)
    return np.column_stack([away, away**2])


class ContentPredictions:
    """`probabilities`: count × CONTENT_CLASSES, NaN where the image was not measured."""

    def __init__(self, measured: Mapping[str, np.ndarray]):
        table = np.array([WEIGHTS[name] for name in INPUTS])
        self._standardised = standardised(inputs(measured), table[:, 0], table[:, 1])
        self._weights = np.concatenate([table[:, 2:], [SQUARES[name] for name in INPUTS]])
        scores = self._standardised @ self._weights + WEIGHTS["bias"][2:]
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
        self.probabilities = exponents / exponents.sum(axis=1, keepdims=True)

    def probability(self, content_class: str) -> np.ndarray:
        """The probability that each image shows that class, 0 to 1."""
        return self.probabilities[:, CONTENT_CLASSES.index(content_class)]

    def explain(self, row: int, content_class: str) -> str:
        """The three inputs with the largest contribution to that class over a single stone."""
        gain = self._weights[:, CONTENT_CLASSES.index(content_class)] - self._weights[:, 0]
        largest = np.argsort(-(self._standardised[row] * gain).reshape(2, -1).sum(axis=0))[:3]
        return ", ".join(
            f"{'high' if self._standardised[row, index] > 0 else 'low'} {INPUTS[index]}".replace("_", " ")
            for index in largest
        )
