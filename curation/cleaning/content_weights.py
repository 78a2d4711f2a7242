"""Read and write the weights of the content classifier, `content_weights.json` next to this file."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

from pydantic import Field

from gemkit.errors import UserError
from gemkit.strict_model import StrictModel
from gemkit.tables import write_text
from gemkit.validation import validate

PATH = Path(__file__).with_suffix(".json")
_REMEDY = "write it again with 'python -m tools.train_content_classifier'"


class InputWeights(StrictModel):
    """Of an input: its mean and standard deviation; by content class, the weight of its standardised value
    (`weights`) and of that value's square (`squares`).
    """

    mean: float
    deviation: Annotated[float, Field(gt=0)]
    weights: dict[str, float]
    squares: dict[str, float]


class ContentWeights(StrictModel):
    """`bias`: by content class; `inputs`: by the name of an input."""

    bias: dict[str, float]
    inputs: dict[str, InputWeights]


def read_weights(classes: Collection[str], inputs: Collection[str], path: Path = PATH) -> ContentWeights:
    """The weights for these content classes and inputs.

    Raises UserError that names a class or an input that the file lacks or has too many, or a wrong value.
    """
    try:
        values = json.loads(path.read_bytes())
    except ValueError as error:
        raise UserError(f"'{path}' is not valid JSON ({error}); {_REMEDY}.") from None
    weights = validate(ContentWeights, values, path, remedy=_REMEDY)
    _check_names(path, "inputs", weights.inputs, inputs)
    _check_names(path, "bias", weights.bias, classes)
    for name, row in weights.inputs.items():
        _check_names(path, f"inputs.{name}.weights", row.weights, classes)
        _check_names(path, f"inputs.{name}.squares", row.squares, classes)
    return weights


def _check_names(path: Path, where: str, found: Collection[str], expected: Collection[str]) -> None:
    for name in expected:
        if name not in found:
            raise UserError(f"'{path}': '{where}' lacks '{name}'; {_REMEDY}.")
    for name in found:
        if name not in expected:
            raise UserError(f"'{path}': '{where}' has the unknown name '{name}'; {_REMEDY}.")


def write_weights(weights: ContentWeights, path: Path = PATH) -> None:
    """Write the weights as JSON."""
    write_text(path, weights.model_dump_json(indent=2) + "\n")
