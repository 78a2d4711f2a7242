"""The description of a trained model, model.json, and of its training, history.csv."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from curation.cropping.params import CropSettings
from gemkit.errors import UserError
from gemkit.records import STRICT, InvalidRecord, from_json, read_json
from gemtrain.recipe import Recipe
from gemtrain.scoring.selective_prediction import Confidence


class OutdatedModel(UserError):
    """Raised for the model.json of an earlier version of this program; `command` trains the model again."""

    kind = "outdated_model"

    def __init__(self, path: Path, command: str):
        super().__init__(f"'{path}' was written by an earlier version; run '{command}' again.")
        self.path, self.command = path, command


class IncompleteModel(UserError):
    """Raised for a model.json with missing, unknown or wrong values, of which `problem` is the first.

    `command` trains the model again.
    """

    kind = "incomplete_model"

    def __init__(self, path: Path, problem: str, command: str):
        super().__init__(f"'{path}': {problem}; run '{command}' again.")
        self.path, self.problem, self.command = path, problem, command


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

    __pydantic_config__ = STRICT

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
    crop: CropSettings | None
    stages: list[StageEnd]
    settings: Recipe
    varieties: list[str]
    species: list[str | None]

    @classmethod
    def from_json(cls, content: object) -> "ModelMetadata":
        """The metadata in the parsed file. Raises InvalidRecord."""
        metadata = from_json(cls, content)
        return replace(metadata, settings=metadata.settings.named(metadata.recipe))

    def to_json(self) -> dict[str, Any]:
        """The content of the file, of JSON's types."""
        content: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return content


def read_metadata(path: Path, command: str) -> ModelMetadata:
    """The content of a model.json that `command` writes.

    Raises OutdatedModel, IncompleteModel, and OSError if the file cannot be read.
    """
    try:
        content = read_json(path)
        if _is_outdated(content):
            raise OutdatedModel(path, command)
        return ModelMetadata.from_json(content)
    except InvalidRecord as error:
        raise IncompleteModel(path, str(error), command) from None


def _is_outdated(content: object) -> bool:
    """Whether keys are missing that files of earlier versions lack."""
    if not isinstance(content, dict) or not isinstance(content.get("settings"), dict):
        return False
    return (
        not {"confidence", "crop"} <= content.keys()
        or not {"tta_views", "colour_bins"} <= content["settings"].keys()
    )


@cache
def _adapter() -> TypeAdapter[ModelMetadata]:
    return TypeAdapter(ModelMetadata)
