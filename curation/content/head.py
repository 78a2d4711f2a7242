"""The content head: a linear layer that turns features into the probability of each content class."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curation.tables import FEATURE_LENGTH
from gemkit.arrays import Array, Floats
from gemkit.errors import UserError
from gemkit.project import Project
from gemkit.stats.calibration import softmax
from gemkit.tables import replaced

#: The head that comes with the package; head.md next to it says what it was fitted to.
BUILT_IN = Path(__file__).with_name("head.npz")

#: Length of an input vector, which makes the scale of the weights that of one feature.
_SCALE = FEATURE_LENGTH**0.5

Weights = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Head:
    """`weights` [FEATURE_LENGTH, classes] and `bias` [classes], calibrated: they need no temperature."""

    classes: tuple[str, ...]
    weights: Weights
    bias: Weights

    def probabilities(self, features: Array) -> Floats:
        """The probability of each class, [N, classes], for features [N, FEATURE_LENGTH]; NaN for NaN."""
        return softmax(inputs(features) @ self.weights.astype(np.float64) + self.bias)

    def write(self, path: Path) -> None:
        """Write the head atomically, as the same bytes each time."""
        with replaced(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, classes=np.array(self.classes), weights=self.weights, bias=self.bias)


def inputs(features: Array) -> Floats:
    """What the head sees of features [N, FEATURE_LENGTH]: their square roots, scaled to the same length.

    The root weighs a few strong features less (Jegou and Chum, ECCV 2012, for histograms).
    """
    roots = np.sqrt(np.maximum(features.astype(np.float64), 0))
    length = np.linalg.norm(roots, axis=1, keepdims=True)
    scaled: Floats = _SCALE * roots / np.maximum(length, np.finfo(np.float32).tiny)
    return scaled


def head_file(project: Project) -> Path:
    """The head of a project: its own, written by `gemcurate content fit`, or the one of the package."""
    return project.content_head if project.content_head.is_file() else BUILT_IN


def read_head(path: Path) -> Head:
    """The head in a file. Raises UserError when it is missing or is not one."""
    remedy = "write it again with 'gemcurate content fit'"
    if not path.is_file():
        raise UserError(f"The content head '{path}' does not exist; {remedy}.")
    try:
        with np.load(path, allow_pickle=False) as file:
            classes = tuple(map(str, file["classes"]))
            head = Head(classes, file["weights"], file["bias"])
    except Exception as error:  # NumPy and zipfile raise all kinds of errors on other bytes
        raise UserError(f"'{path}' is not a content head ({error}); {remedy}.") from None
    if head.weights.shape != (FEATURE_LENGTH, len(classes)) or head.bias.shape != (len(classes),):
        raise UserError(f"'{path}' has the weights of other features; {remedy}.")
    return head
