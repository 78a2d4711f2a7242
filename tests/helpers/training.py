"""Train on the textures in this process, and inputs of networks."""

from pathlib import Path
from typing import Any

import torch

from gemtrain.model_metadata import ModelMetadata
from gemtrain.recipe import load_settings
from gemtrain.training.train import train
from tests.helpers.textures import write_params

CPU = torch.device("cpu")


def run(recipe: str = "gemnet", **changes: Any) -> ModelMetadata:
    """Train a changed recipe."""
    write_params(**({recipe: changes} if changes else {}))
    settings, seed = load_settings(Path("params.yaml"), recipe)
    return train("gems", recipe, settings, seed, CPU)


def files_of(recipe: str = "gemnet") -> dict[str, bytes]:
    """The files of a trained model, by name."""
    return {path.name: path.read_bytes() for path in Path(f"models/gems/{recipe}").iterdir()}


def random_images(count: int, channels: int, size: int) -> torch.Tensor:
    """uint8 [count, channels, size, size]."""
    return torch.randint(0, 256, (count, channels, size, size), dtype=torch.uint8)
