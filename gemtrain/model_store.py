"""A trained model on disk: model.safetensors, model.json and history.csv in `models/<dataset>/<recipe>/`."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gemkit.errors import UserError
from gemkit.tables import write_bytes, write_text
from gemtrain.data.dataset import Dataset
from gemtrain.models.classifier import Classifier
from gemtrain.models.factory import build_model

MODELS = Path("models")

#: history.csv: one row per epoch, counted over all stages from 1; accuracies are shares.
HISTORY = (
    "epoch", "stage", "learning_rate",
    "train_loss", "train_accuracy", "validation_loss", "validation_accuracy",
)  # fmt: skip


def model_folder(dataset: str, recipe: str) -> Path:
    """The folder of the model of a dataset and a recipe."""
    return MODELS / dataset / recipe


def write_state(path: Path, state: dict[str, Tensor]) -> None:
    """Write a state_dict as safetensors."""
    from safetensors.torch import save

    write_bytes(path, save({key: value.contiguous() for key, value in state.items()}))


def write_history(path: Path, history: list[dict[str, Any]]) -> None:
    """Write the rows as CSV with the columns HISTORY, six significant digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HISTORY)
    for row in history:
        writer.writerow([f"{row[key]:.6g}" if isinstance(row[key], float) else row[key] for key in HISTORY])
    write_text(path, text.getvalue())


def read_history(path: Path) -> list[dict[str, float]]:
    """The rows of history.csv. Raises UserError."""
    try:
        with path.open(newline="") as file:
            return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError):
        raise UserError(f"'{path}' is missing or incomplete; train the model again.") from None


def read_model(dataset: str, recipe: str) -> tuple[Classifier, dict[str, Any]]:
    """The model of its selected epoch, on the CPU, and the content of model.json. Raises UserError."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = model_folder(dataset, recipe)
    path = folder / "model.json"
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
        settings = metadata["settings"]
        if (
            not {"confidence", "crop"} <= metadata.keys()
            or not {"tta_views", "colour_bins"} <= settings.keys()
        ):
            raise UserError(f"The model in '{folder}' was trained by an earlier version; train it again.")
        model = build_model(
            metadata["network"],
            len(metadata["varieties"]),
            metadata["image_size"],
            settings["channels"],
            settings["features"],
            settings["colour_bins"],
        )
    except FileNotFoundError:
        raise UserError(
            f"There is no model in '{folder}'; run 'gemtrain train --dataset {dataset} --recipe {recipe}'."
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        raise UserError(f"'{path}' is not a complete model description; train the model again.") from None
    weights = folder / "model.safetensors"
    try:
        model.load_state_dict(load_file(weights))
    except (OSError, SafetensorError):
        raise UserError(f"'{weights}' is missing or incomplete; train the model again.") from None
    except RuntimeError:
        raise UserError(
            f"'{weights}' does not hold the weights of the network '{metadata['network']}'; "
            "train the model again."
        ) from None
    return model, metadata


def copy_state(model: torch.nn.Module) -> dict[str, Tensor]:
    """A copy of the model's state on the CPU, in plain memory format."""
    return {key: value.detach().cpu().contiguous().clone() for key, value in model.state_dict().items()}


def read_trained(dataset: Dataset, recipe: str) -> tuple[Classifier, dict[str, Any]]:
    """The model of a recipe, on the CPU, and the content of its model.json.

    Raises UserError when it is missing, or was trained on another version of the dataset.
    """
    model, metadata = read_model(dataset.name, recipe)
    if metadata["varieties"] != dataset.varieties:
        raise UserError(
            f"The model in '{model_folder(dataset.name, recipe)}' and the dataset '{dataset.name}' "
            "have different classes; train the model again."
        )
    if metadata["dataset_version"] != dataset.version:
        raise UserError(
            f"The model in '{model_folder(dataset.name, recipe)}' was trained on another version of "
            f"the dataset '{dataset.name}', so it may have seen the test images; train it again."
        )
    return model, metadata
