"""Train on the textures in this process, and inputs of networks."""

from pathlib import Path
from typing import Any

import torch

from gemkit.project import Project
from gemtrain.model_metadata import ModelMetadata
from gemtrain.recipe import Recipe, Stage, load_settings
from gemtrain.training.train import train
from tests.helpers.textures import write_params

CPU = torch.device("cpu")


def run(recipe: str = "gemnet", **changes: Any) -> ModelMetadata:
    """Train a changed recipe."""
    write_params(**({recipe: changes} if changes else {}))
    settings, seed = load_settings(Path("params.yaml"), recipe)
    return train(Project(), "gems", settings, seed, CPU)


def recipe_of(network: str, image_size: int, **values: Any) -> Recipe:
    """A recipe of one short stage for a network."""
    stages = (Stage(epochs=1, learning_rate=1e-4),)
    return Recipe(description="", network=network, image_size=image_size, **{"stages": stages, **values})


def files_of(recipe: str = "gemnet") -> dict[str, bytes]:
    """The files of a trained model, by name."""
    return {path.name: path.read_bytes() for path in Path(f"models/gems/{recipe}").iterdir()}


def random_images(count: int, channels: int, size: int) -> torch.Tensor:
    """uint8 [count, channels, size, size]."""
    return torch.randint(0, 256, (count, channels, size, size), dtype=torch.uint8)
