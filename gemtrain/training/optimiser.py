"""The optimiser of a stage, the moving average of its weights, and the weights that balance the classes."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gemtrain.models.classifier import Classifier
from gemtrain.recipe import Recipe, Stage


def build_optimiser(
    model: Classifier, part: nn.Module, stage: Stage, recipe: Recipe
) -> torch.optim.Optimizer:
    """The optimiser of the trained part of a model, with a group per learning rate and weight decay."""
    head, head_rate = set(model.head.parameters()), stage.head_learning_rate or stage.learning_rate
    kernels = {module.weight for module in part.modules() if isinstance(module, nn.Conv2d | nn.Linear)}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in part.parameters():
        rate = head_rate if parameter in head else stage.learning_rate
        decay = recipe.weight_decay if parameter in kernels else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    options: list[dict[str, Any]] = [
        {"params": parameters, "base_rate": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(options, momentum=0.9)
    return (torch.optim.AdamW if recipe.optimiser == "adamw" else torch.optim.Adam)(options)


def set_learning_rate(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Set the learning rate of each group of `build_optimiser` to a factor of its highest one."""
    for group in optimiser.param_groups:
        group["lr"] = group["base_rate"] * factor


def build_average(model: Classifier, stage: Stage) -> AveragedModel | None:
    """The moving average of a model over a stage, if it has an `ema_decay`."""
    if stage.ema_decay is None:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(stage.ema_decay), use_buffers=True)


def balancing_weights(labels: Tensor) -> Tensor:
    """Weights of the examples of each class, [classes], with which all classes of `labels` count the same."""
    examples = labels.bincount()
    return len(labels) / (len(examples) * examples)
