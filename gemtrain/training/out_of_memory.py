"""A batch that does not fit into the memory: which batch size does."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from gemkit.errors import GemscrapeError, UserError
from gemtrain.data.dataset import Dataset
from gemtrain.device import autocast, is_out_of_memory
from gemtrain.models.classifier import Classifier
from gemtrain.recipe import Recipe
from gemtrain.training.examples import Examples, stage_examples
from gemtrain.training.loss import cross_entropy
from gemtrain.training.optimiser import build_average, build_optimiser
from gemtrain.training.schedule import PlannedStage


class BatchTooLarge(GemscrapeError):
    """Raised when the device runs out of memory in a step of the stage `planned`."""

    kind = "batch_too_large"

    def __init__(self, planned: PlannedStage):
        super().__init__()
        self.planned = planned


@contextmanager
def detect_out_of_memory(planned: PlannedStage) -> Iterator[None]:
    """Raise BatchTooLarge when the device runs out of memory."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise BatchTooLarge(planned) from None
        raise


def batch_too_large_error(
    model: Classifier, dataset: Dataset, recipe: Recipe, planned: PlannedStage, device: torch.device
) -> UserError:
    """The error that names a batch size that fits. Leaves the model in an undefined state.

    Call it after BatchTooLarge was handled: its traceback keeps the tensors of the step in memory.
    """
    gc.collect()
    torch.cuda.empty_cache()
    part, training, _ = stage_examples(model, dataset, recipe, planned, device)
    optimiser = build_optimiser(model, part, planned.stage, recipe)
    average = build_average(model, planned.stage)
    size = recipe.batch_size
    while (size := size // 2) > 1:
        optimiser.zero_grad()
        torch.cuda.empty_cache()
        if _fits(part.train(), optimiser, average, training, size, recipe.bf16_on_cpu):
            break
    advice = f"set the recipe's 'batch_size' to {size}, which fits" if size > 1 else "lower its 'image_size'"
    return UserError(
        f"A batch of {recipe.batch_size} images of {recipe.image_size} pixels does not fit into "
        f"the memory of the {device.type}; {advice}."
    )


def _fits(
    part: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: AveragedModel | None,
    training: Examples,
    size: int,
    bf16_on_cpu: bool,
) -> bool:
    """Whether two steps fit; only the second has the memory of the optimiser."""
    rows = torch.arange(size) % len(training.labels)
    try:
        for _ in range(2):
            inputs, labels = training.load(torch.Generator(), rows)
            with autocast(training.device, bf16_on_cpu):
                logits = part(inputs)
            optimiser.zero_grad()
            cross_entropy(logits.float(), labels).backward()
            optimiser.step()
            if average is not None:
                average.update_parameters(part)
    except RuntimeError as error:
        if is_out_of_memory(error):
            return False
        raise
    return True
