"""The schedule of a recipe for a dataset: steps, batches, learning rates, and when a stage is over."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gemtrain.data.dataset import Dataset
from gemtrain.model_metadata import EpochResult
from gemtrain.recipe import Recipe, Stage


@dataclass
class PlannedStage:
    """A stage of the schedule: its training rows and the optimiser steps of each epoch."""

    number: int
    stage: Stage
    rows: Tensor
    epoch_steps: list[int]

    @property
    def steps(self) -> int:
        """The total number of optimiser steps."""
        return sum(self.epoch_steps)

    def epoch_range(self, epoch: int) -> tuple[int, int]:
        """The first step of an epoch (from 0) in the stage, and the step after its last one."""
        first = sum(self.epoch_steps[:epoch])
        return first, first + self.epoch_steps[epoch]


def plan_stages(recipe: Recipe, dataset: Dataset) -> list[PlannedStage]:
    """Plan the steps of each epoch; `max_steps` shortens the stages of the whole network equally."""
    split = dataset.splits["train"]
    plan = []
    for number, stage in enumerate(recipe.stages, start=1):
        rows = split.one_row_per_source() if stage.each_photo_once else torch.arange(len(split))
        steps = max(1, round(len(rows) / recipe.batch_size))
        plan.append(PlannedStage(number, stage, rows, [steps] * stage.epochs))
    counted = [planned for planned in plan if planned.stage.train == "all"]
    total = sum(planned.steps for planned in counted)
    if recipe.max_steps is None or total <= recipe.max_steps:
        return plan
    whole = start = 0
    for later, planned in zip(reversed(range(len(counted))), counted, strict=True):
        whole += planned.steps
        end = min(max(round(whole * recipe.max_steps / total), start + 1), recipe.max_steps - later)
        steps, start = end - start, end
        epochs = min(planned.stage.epochs, steps)
        planned.epoch_steps = [
            (epoch + 1) * steps // epochs - epoch * steps // epochs for epoch in range(epochs)
        ]
    return plan


def rate_factor(stage: Stage, step: int, steps: int) -> float:
    """The factor of the learning rate at a step (counted from 0) of a stage of `steps` steps."""
    warmup = round(stage.warmup * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if stage.decay == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def row_batches(count: int, size: int, first: int, last: int, seed: int) -> Iterator[Tensor]:
    """Batches `first` to `last` (exclusive) of an endless stream of shuffled passes over `count` rows.

    Each is [size] int64. A batch depends only on its number and the seed, so that a training can resume
    anywhere.
    """
    start, end = first * size, last * size
    passes = range(start // count, (end - 1) // count + 1)
    stream = torch.cat(
        [
            torch.randperm(count, generator=torch.Generator().manual_seed(seed_of(seed, "pass", number)))
            for number in passes
        ]
    )
    offset = start - passes.start * count
    yield from stream[offset : offset + end - start].split(size)


def seed_of(*parts: object) -> int:
    """A random seed that depends only on the parts."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:7], "big")


def selection_score(monitor: str, row: EpochResult) -> tuple[float, ...]:
    """The score that the selected epoch maximises, by a recipe's `monitor`; the first of equal epochs is
    selected."""
    error, training_error = 1 - row.validation_accuracy, 1 - row.train_accuracy
    scores: dict[str, tuple[float, ...]] = {
        "accuracy": (row.validation_accuracy, -row.validation_loss),
        "loss": (-row.validation_loss,),
        "closest": (-error - abs(error - training_error),),
        "last": (row.epoch,),
    }
    return scores[monitor]


def is_over(planned: PlannedStage, recipe: Recipe, history: list[EpochResult]) -> bool:
    """Whether the last epoch of the history ends a stage: all epochs are done, or `patience` has run out."""
    scores = [selection_score(recipe.monitor, row) for row in history if row.stage == planned.number]
    if len(scores) == len(planned.epoch_steps):
        return True
    return recipe.patience is not None and len(scores) - 1 - scores.index(max(scores)) >= recipe.patience
