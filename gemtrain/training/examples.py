"""The training and validation examples of a stage: images, or the features of a frozen network."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gemtrain.data.augment import augmented
from gemtrain.data.dataset import batch_of, on_device
from gemtrain.device import to_device
from gemtrain.recipe import Stage
from gemtrain.training.checkpoint import TrainingState
from gemtrain.training.feature_cache import frozen_features, state_hash


@dataclass
class Examples:
    """Inputs and labels to train on or to validate with: `inputs(rows, generator)` belong to `labels[rows]`.

    The inputs are on the device, the labels on the CPU. `class_weights` [classes], if given, is the weight of
    an example of each class in the loss.
    """

    inputs: Callable[[Tensor, torch.Generator], Tensor]
    labels: Tensor
    device: torch.device
    class_weights: Tensor | None = None

    def load(self, generator: torch.Generator, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and labels of the rows, on the device."""
        return self.inputs(rows, generator), to_device(self.labels[rows], self.device)


def stage_examples(state: TrainingState, stage: Stage, rows: Tensor) -> tuple[nn.Module, Examples, Examples]:
    """The part of the model that a stage trains, and its training and validation examples."""
    train, validation = state.dataset.splits["train"], state.dataset.splits["validation"]
    labels = train.labels[rows], validation.labels
    if stage.train != "all":
        dense = stage.train == "dense"
        part = state.model.dense if dense else state.model.head
        frozen = state.model.convolve if dense else state.model.embed

        def examples_of(features: Tensor, labels: Tensor) -> Examples:
            features = on_device(features, state.device)

            def selected(batch: Tensor, _: torch.Generator) -> Tensor:
                return to_device(features[to_device(batch, features.device)], state.device).float()

            return Examples(selected, labels, state.device)

        train_features, validation_features = part_features(state, part, frozen, rows, stage.image_size)
        return part, examples_of(train_features, labels[0]), examples_of(validation_features, labels[1])
    images, validation_images = (
        on_device(pixels, state.device) for pixels in _pixels(state, stage.image_size)
    )

    def augmented_images(batch: Tensor, generator: torch.Generator) -> Tensor:
        return augmented(images, rows[batch], state.recipe.augmentation, generator, state.device)

    def plain_images(batch: Tensor, _: torch.Generator) -> Tensor:
        return to_device(batch_of(validation_images, batch), state.device)

    return (
        state.model,
        Examples(augmented_images, labels[0], state.device),
        Examples(plain_images, labels[1], state.device),
    )


def _pixels(state: TrainingState, training_size: int | None) -> tuple[Tensor, Tensor]:
    """The training images, at `training_size` pixels if given, and the validation images."""
    recipe, splits = state.recipe, state.dataset.splits
    return (
        splits["train"].pixels(training_size or recipe.image_size, recipe.channels),
        splits["validation"].pixels(recipe.image_size, recipe.channels),
    )


def part_features(
    state: TrainingState,
    part: nn.Module,
    frozen: Callable[[Tensor], Tensor],
    rows: Tensor,
    training_size: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The inputs of the trained part, as the frozen rest computes them: for training rows and validation."""
    state.model.eval()
    trained = {id(value) for value in part.state_dict(keep_vars=True).values()}
    rest = {
        name: value
        for name, value in state.model.state_dict(keep_vars=True).items()
        if id(value) not in trained
    }
    settings = [state.recipe.network, state.recipe.features, state.recipe.colour_bins, state_hash(rest)]
    images, validation_images = _pixels(state, training_size)
    return (
        frozen_features(frozen, settings, images, rows, state.device),
        frozen_features(
            frozen, settings, validation_images, torch.arange(len(validation_images)), state.device
        ),
    )
