"""The description of a trained model, model.json, and of its training, history.csv."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gemkit.errors import GemscrapeError, UserError
from gemtrain.recipe import Recipe
from gemtrain.scoring.selective_prediction import Confidence


class OutdatedModel(GemscrapeError):
    """Raised for the model.json of an earlier version of this program."""

    kind = "outdated_model"


class IncompleteModel(GemscrapeError):
    """Raised for a model.json with missing or wrong values."""

    kind = "incomplete_model"


@dataclass(frozen=True)
class EpochResult:
    """A row of history.csv: an epoch, counted over all stages from 1, and its mean losses and accuracies.

    `stage` is counted from 1. The learning rate is that of the last step. Accuracies are shares. Training
    losses and accuracies are those of the augmented images, measured while the weights change.
    """

    epoch: int
    stage: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class StageEnd:
    """The scores at the end of a stage, where stage-<number>.safetensors was written, rounded to 6 digits.

    `stage` is its number from 1; `train` is that of the recipe's stage; `epochs` are those of the stage.
    """

    stage: int
    train: str
    epochs: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class ModelMetadata:
    """The content of model.json.

    `epochs` are those of all stages; `best_epoch` (from 1) is the one that the recipe's `monitor` selected,
    with its validation scores. `parameters` counts the weights. `crop` is how the images of the dataset were
    cropped, None if they were not. `varieties` and `species` name the classes in order of label.
    """

    dataset: str
    dataset_version: str
    recipe: str
    network: str
    image_size: int
    parameters: int
    seed: int
    epochs: int
    best_epoch: int
    validation_accuracy: float
    validation_loss: float
    confidence: Confidence
    crop: dict[str, Any] | None
    stages: list[StageEnd]
    settings: Recipe
    varieties: list[str]
    species: list[str | None]

    @classmethod
    def from_json(cls, content: Any) -> "ModelMetadata":
        """The metadata in the parsed file. Raises OutdatedModel or IncompleteModel."""
        settings = content.get("settings") if isinstance(content, Mapping) else None
        if not isinstance(settings, Mapping):
            raise IncompleteModel
        if (
            not {"confidence", "crop"} <= content.keys()
            or not {"tta_views", "colour_bins"} <= settings.keys()
        ):
            raise OutdatedModel  # files of earlier versions lack these keys
        try:
            metadata = _adapter().validate_python(content)
            return replace(metadata, settings=metadata.settings.named(metadata.recipe))
        except (UserError, ValidationError):
            raise IncompleteModel from None

    def to_json(self) -> dict[str, Any]:
        """The content of the file, of JSON's types."""
        content: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return content


@cache
def _adapter() -> TypeAdapter[ModelMetadata]:
    return TypeAdapter(ModelMetadata)
