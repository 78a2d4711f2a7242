"""What kind of thing a picture shows, as shares that sum up to 1.

Softmax regression over named measurements and their squares: much and little of one may both be unlike a
stone. Its weights (`kind_weights.py`) are fitted to the demo store by `tools/train_content_classifier.py`.
"""

from collections.abc import Mapping

import numpy as np

from curation.cleaning.content_weights import SQUARES, WEIGHTS
from curation.measurement.shape_features import NAMES

KINDS = ("stone", "several", "hand", "no_stone", "unclear", "printed")

#: Columns of MEASURED that count besides the traits.
MEASUREMENTS = (
    "clipped_share", "sharpness", "background_uniformity", "background_residual", "skin_border_share",
    "stones", "stone_share", "stone_elongation", "text_look",
)  # fmt: skip
INPUTS = (*MEASUREMENTS, "background_chroma", "stone_width", "stone_height", *NAMES)

#: Inputs that count by their ratios: the logarithm of one more than them is taken.
_BY_RATIO = (
    "sharpness", "background_residual", "stones", "stone_elongation", "background_chroma", "pieces",
    "large_pieces", "hull_corners", "centre_distance", "gradient", "gradient_outside", "ring_chroma",
    "limb_colour", "limb_colour_far",
)  # fmt: skip
#: Inputs count as this many standard deviations from the mean at most.
_FAR = 3.0


def inputs(measured: Mapping[str, np.ndarray]) -> np.ndarray:
    """Count × INPUTS, float64: numbers by name, `background_lab`, `stone_box` and `traits` as rows."""
    box = measured["stone_box"]
    values = np.column_stack(
        [
            *(measured[name] for name in MEASUREMENTS),
            np.hypot(*measured["background_lab"].T[1:]),
            box[:, 2] - box[:, 0],
            box[:, 3] - box[:, 1],
            measured["traits"],
        ]
    ).astype(np.float64)
    ratios = [INPUTS.index(name) for name in _BY_RATIO]
    values[:, ratios] = np.log1p(values[:, ratios])
    return values


def standardised(values: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Inputs in standard deviations from the mean, and beside them their squares."""
    away = np.clip((values - mean) / deviation, -_FAR, _FAR)
    return np.column_stack([away, away**2])


class Kinds:
    """`shares`: count × KINDS, NaN where nothing was measured."""

    def __init__(self, measured: Mapping[str, np.ndarray]):
        table = np.array([WEIGHTS[name] for name in INPUTS])
        self._standardised = standardised(inputs(measured), table[:, 0], table[:, 1])
        self._weights = np.concatenate([table[:, 2:], [SQUARES[name] for name in INPUTS]])
        scores = self._standardised @ self._weights + WEIGHTS["bias"][2:]
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
        self.shares = exponents / exponents.sum(axis=1, keepdims=True)

    def share(self, kind: str) -> np.ndarray:
        """How far each picture shows that kind, 0 to 1."""
        return self.shares[:, KINDS.index(kind)]

    def why(self, row: int, kind: str) -> str:
        """The three inputs that speak most for that kind, and not for one stone."""
        gain = self._weights[:, KINDS.index(kind)] - self._weights[:, 0]
        most = np.argsort(-(self._standardised[row] * gain).reshape(2, -1).sum(axis=0))[:3]
        return ", ".join(
            f"{'much' if self._standardised[row, number] > 0 else 'little'} {INPUTS[number]}".replace(
                "_", " "
            )
            for number in most
        )
