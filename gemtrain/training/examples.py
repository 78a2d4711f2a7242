"""The training and validation examples of a stage: images, or the features of a frozen network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from gemtrain.data.augment import augmented
from gemtrain.data.dataset import Dataset, batch_of, on_device
from gemtrain.device import to_device
from gemtrain.models.classifier import Classifier
from gemtrain.recipe import Augmentation, Recipe
from gemtrain.training.feature_cache import frozen_features, state_hash
from gemtrain.training.schedule import PlannedStage


class Examples(Protocol):
    """Inputs and labels [N] to train on or to validate with."""

    labels: Tensor
    device: torch.device

    def load(self, generator: torch.Generator, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and labels of some of the N examples, on the device."""


@dataclass
class Images:
    """Some `rows` [N] of uint8 images [M, H, W, C]; augmented, if an augmentation is given."""

    images: Tensor
    rows: Tensor
    labels: Tensor
    device: torch.device
    augmentation: Augmentation | None = None

    def load(self, generator: torch.Generator, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The images [B, C, H, W], values 0 to 255, and their labels."""
        labels, rows = to_device(self.labels[rows], self.device), self.rows[rows]
        if self.augmentation is None:
            return to_device(batch_of(self.images, rows), self.device), labels
        return augmented(self.images, rows, self.augmentation, generator, self.device), labels


@dataclass
class Features:
    """Features [N, width] of a frozen network, in half precision."""

    features: Tensor
    labels: Tensor
    device: torch.device

    def load(self, _: torch.Generator, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The features [B, width] in single precision, and their labels."""
        features = self.features[to_device(rows, self.features.device)]
        return to_device(features, self.device).float(), to_device(self.labels[rows], self.device)


def stage_examples(
    model: Classifier, dataset: Dataset, recipe: Recipe, planned: PlannedStage, device: torch.device
) -> tuple[nn.Module, Examples, Examples]:
    """The part of the model that a stage trains, and its training and validation examples."""
    train, validation = dataset.splits["train"], dataset.splits["validation"]
    labels, stage = train.labels[planned.rows], planned.stage
    if stage.train == "all":
        images, validation_images = (
            on_device(pixels, device) for pixels in _pixels(dataset, recipe, stage.image_size)
        )
        return (
            model,
            Images(images, planned.rows, labels, device, recipe.augmentation),
            Images(validation_images, torch.arange(len(validation)), validation.labels, device),
        )
    part, frozen = (model.dense, model.convolve) if stage.train == "dense" else (model.head, model.embed)
    features, validation_features = (
        on_device(values, device)
        for values in part_features(
            model, part, frozen, dataset, recipe, planned.rows, device, stage.image_size
        )
    )
    return (
        part,
        Features(features, labels, device),
        Features(validation_features, validation.labels, device),
    )


def _pixels(dataset: Dataset, recipe: Recipe, training_size: int | None) -> tuple[Tensor, Tensor]:
    """The training images, at `training_size` pixels if given, and the validation images."""
    return (
        dataset.splits["train"].pixels(training_size or recipe.image_size, recipe.channels),
        dataset.splits["validation"].pixels(recipe.image_size, recipe.channels),
    )


def part_features(
    model: Classifier,
    part: nn.Module,
    frozen: Callable[[Tensor], Tensor],
    dataset: Dataset,
    recipe: Recipe,
    rows: Tensor,
    device: torch.device,
    training_size: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The inputs of the trained part, as the frozen rest computes them: for training rows and validation."""
    model.eval()
    trained = {id(value) for value in part.state_dict(keep_vars=True).values()}
    rest = {
        name: value for name, value in model.state_dict(keep_vars=True).items() if id(value) not in trained
    }
    settings = [recipe.network, recipe.features, recipe.colour_bins, state_hash(rest)]
    images, validation_images = _pixels(dataset, recipe, training_size)
    cache = dataset.project.cache
    every_row = torch.arange(len(validation_images))
    return (
        frozen_features(frozen, settings, images, rows, device, cache),
        frozen_features(frozen, settings, validation_images, every_row, device, cache),
    )
