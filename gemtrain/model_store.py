"""A trained model on disk: model.safetensors, model.json and history.csv in `models/<dataset>/<recipe>/`."""

import csv
import io
import json
from dataclasses import astuple, fields
from pathlib import Path

import torch
from torch import Tensor

from gemkit.errors import UserError, did_you_mean
from gemkit.project import Project
from gemkit.records import InvalidRecord, read_csv
from gemkit.tables import write_bytes, write_text
from gemtrain.data.dataset import Dataset
from gemtrain.model_metadata import EpochResult, ModelMetadata, read_metadata
from gemtrain.models.classifier import Classifier
from gemtrain.models.factory import build_model


def model_names(project: Project) -> list[str]:
    """The trained models of a project as `<dataset>/<recipe>`, sorted."""
    return sorted(
        path.parent.relative_to(project.models).as_posix() for path in project.models.glob("*/*/model.json")
    )


def write_state(path: Path, state: dict[str, Tensor]) -> None:
    """Write a state_dict as safetensors."""
    from safetensors.torch import save

    write_bytes(path, save({key: value.contiguous() for key, value in state.items()}))


def write_model(
    project: Project,
    metadata: ModelMetadata,
    weights: dict[str, Tensor],
    history: list[EpochResult],
    stage_ends: list[Path],
) -> None:
    """Write the folder of a model; `stage_ends` are files with its weights after each stage."""
    folder = project.model(metadata.dataset, metadata.recipe)
    (folder / "model.json").unlink(missing_ok=True)  # written last: it marks the folder as complete
    for path in stage_ends:
        write_bytes(folder / path.name, path.read_bytes())
    write_state(folder / "model.safetensors", weights)
    write_history(folder / "history.csv", history)
    write_metadata(folder / "model.json", metadata)


def write_metadata(path: Path, metadata: ModelMetadata) -> None:
    """Write model.json."""
    write_text(path, json.dumps(metadata.to_json(), indent=2, ensure_ascii=False) + "\n")


def write_history(path: Path, history: list[EpochResult]) -> None:
    """Write history.csv, numbers with six significant digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(EpochResult))
    for row in history:
        writer.writerow(f"{value:.6g}" if isinstance(value, float) else value for value in astuple(row))
    write_text(path, text.getvalue())


def read_history(path: Path) -> list[EpochResult]:
    """The rows of history.csv. Raises UserError."""
    try:
        return read_csv(EpochResult, path)
    except OSError:
        raise UserError(f"'{path}' is missing; train the model again.") from None
    except InvalidRecord as error:
        raise UserError(f"'{path}': {error}; train the model again.") from None


def read_model(project: Project, dataset: str, recipe: str) -> tuple[Classifier, ModelMetadata]:
    """The model of its selected epoch, on the CPU, and the content of model.json. Raises UserError."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = project.model(dataset, recipe)
    command = f"gemtrain train --dataset {dataset} --recipe {recipe}"
    try:
        metadata = read_metadata(folder / "model.json", command)
    except FileNotFoundError:
        hint = did_you_mean(f"{dataset}/{recipe}", "models", model_names(project))
        raise UserError(f"There is no model in '{folder}'{hint}. Train it with '{command}'.") from None
    model = build_model(metadata.settings, len(metadata.varieties))
    weights = folder / "model.safetensors"
    try:
        model.load_state_dict(load_file(weights))
    except (OSError, SafetensorError):
        raise UserError(f"'{weights}' is missing or incomplete; train the model again.") from None
    except RuntimeError:
        raise UserError(
            f"'{weights}' does not hold the weights of the network '{metadata.network}'; "
            "train the model again."
        ) from None
    return model, metadata


def copy_state(model: torch.nn.Module) -> dict[str, Tensor]:
    """A copy of the model's state on the CPU, in plain memory format."""
    return {key: value.detach().cpu().contiguous().clone() for key, value in model.state_dict().items()}


def read_trained(project: Project, dataset: Dataset, recipe: str) -> tuple[Classifier, ModelMetadata]:
    """The model of a recipe, on the CPU, and the content of its model.json.

    Raises UserError when it is missing, or was trained on another version of the dataset.
    """
    model, metadata = read_model(project, dataset.name, recipe)
    folder = project.model(dataset.name, recipe)
    if metadata.varieties != dataset.varieties:
        raise UserError(
            f"The model in '{folder}' and the dataset '{dataset.name}' "
            "have different classes; train the model again."
        )
    if metadata.dataset_version != dataset.version:
        raise UserError(
            f"The model in '{folder}' was trained on another version of the "
            f"dataset '{dataset.name}', so it may have seen the test images; train it again."
        )
    return model, metadata
