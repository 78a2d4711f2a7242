"""Classify what an image shows: the probability of each content class, summing to 1.

Softmax regression over named measurements and their squares, so that both high and low values can count
against a class. The weights (`content_weights.json`) are fitted to the demo store by
`tools/train_content_classifier.py`.
"""

from collections.abc import Mapping
from functools import cache

import numpy as np

from curation.cleaning.content_weights import ContentWeights, read_weights
from curation.measurement.shape_features import ShapeFeatures
from gemkit.arrays import Array, Floats

CONTENT_CLASSES = ("stone", "several", "hand", "no_stone", "unclear", "printed")

#: Columns of MEASURED that are inputs besides the shape features.
MEASURED_INPUTS = (
    "clipped_share", "sharpness", "background_uniformity", "background_residual", "skin_border_share",
    "stones", "stone_share", "stone_elongation", "stroke_density",
)  # fmt: skip
INPUTS = (*MEASURED_INPUTS, "background_chroma", "stone_width", "stone_height", *ShapeFeatures._fields)

#: Inputs whose ratios matter: x is replaced by log(1 + x).
_LOG_SCALED = {
    "sharpness", "background_residual", "stones", "stone_elongation", "background_chroma", "components",
    "large_components", "hull_corners", "centre_contrast", "gradient_inside", "gradient_outside",
    "ring_chroma", "border_component_chroma_spread", "border_component_chroma_spread_90",
}  # fmt: skip
#: Inputs are clipped to this many standard deviations from the mean.
_MAX_DEVIATIONS = 3.0


def inputs(measured: Mapping[str, Array]) -> Floats:
    """The classifier's inputs, count × INPUTS, float64.

    `measured` holds columns of MEASURED [count], those of its struct `shape_features` by their own names, and
    `background_lab` [count, 3] and `stone_box` [count, 4].
    """
    background, box = measured["background_lab"], measured["stone_box"]
    values = {
        **measured,
        "background_chroma": np.hypot(background[:, 1], background[:, 2]),
        "stone_width": box[:, 2] - box[:, 0],
        "stone_height": box[:, 3] - box[:, 1],
    }
    return np.column_stack([_scaled(name, values[name].astype(np.float64)) for name in INPUTS])


def _scaled(name: str, values: Floats) -> Floats:
    return np.log1p(values) if name in _LOG_SCALED else values


def standardised(values: Floats, mean: Floats, deviation: Floats) -> Floats:
    """Inputs in standard deviations from the mean, followed by their squares."""
    away = np.clip((values - mean) / deviation, -_MAX_DEVIATIONS, _MAX_DEVIATIONS)
    return np.column_stack([away, away**2])


class ContentPredictions:
    """`probabilities`: count × CONTENT_CLASSES, NaN where the image was not measured."""

    def __init__(self, measured: Mapping[str, Array]):
        weights = _weights()
        rows = [weights.inputs[name] for name in INPUTS]
        mean, deviation = np.array([row.mean for row in rows]), np.array([row.deviation for row in rows])
        self._standardised = standardised(inputs(measured), mean, deviation)
        self._weights = np.array(
            [_by_class(row.weights) for row in rows] + [_by_class(row.squares) for row in rows]
        )
        scores = self._standardised @ self._weights + _by_class(weights.bias)
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
        self.probabilities: Floats = exponents / exponents.sum(axis=1, keepdims=True)

    def probability(self, content_class: str) -> Floats:
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


@cache
def _weights() -> ContentWeights:
    return read_weights(CONTENT_CLASSES, INPUTS)


def _by_class(values: Mapping[str, float]) -> list[float]:
    return [values[name] for name in CONTENT_CLASSES]
