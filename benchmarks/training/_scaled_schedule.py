"""Scale a published schedule down to a number of minutes on this machine, by changes to the recipe."""

import math
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, NamedTuple

import torch

from gemtrain.data.augment import augmented
from gemtrain.data.dataset import batch_of
from gemtrain.device import autocast, choose_device
from gemtrain.models.factory import build_model
from gemtrain.models.lookup import find_network
from gemtrain.recipe import Recipe, Stage
from gemtrain.training.loss import cross_entropy

#: At least this many epochs, so that `monitor` has a choice, as long as validation, at the end of each epoch,
#: takes no more than this share of the time.
_MIN_EPOCHS, _VALIDATION_SHARE = 4, 0.25
#: Times are medians of at least this many runs and seconds in total, after a warm-up run.
_RUNS, _SECONDS = 2, 2.0
_FEATURE_BATCH = 64


class Sizes(NamedTuple):
    """The size of a dataset: classes, training rows, the distinct source images in them, validation rows."""

    classes: int
    rows: int
    sources: int
    validation: int


class StepTimes(NamedTuple):
    """Seconds of a step of the whole network, of a step of its dense layers or head, and of one output."""

    step: float
    part_step: float
    forward: float


class Plan(NamedTuple):
    """The `changes` to a recipe for a budget, and its remaining schedule in words."""

    changes: dict[str, Any]
    schedule: str


def smaller(recipe: Recipe, pixels: int | None, weights: str) -> Recipe:
    """The recipe at no more than `pixels` pixels (but as many as its network needs), from other weights."""
    side = min(recipe.image_size, pixels or recipe.image_size)
    return recipe.replace(image_size=max(side, find_network(recipe.network).least_side), weights=weights)


def measure_step_times(recipe: Recipe, classes: int) -> StepTimes:
    """Measure in a separate process, which frees its memory when it ends."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_step_times, recipe, classes).result()


def _step_times(recipe: Recipe, classes: int) -> StepTimes:
    device = choose_device()
    side, channels, size = recipe.image_size, recipe.channels, recipe.batch_size
    model = build_model(recipe, classes).to(device)
    images = torch.randint(256, (_FEATURE_BATCH, side, side, channels), dtype=torch.uint8)
    labels = torch.zeros(size, dtype=torch.long, device=device)
    rows, generator = torch.arange(size) % len(images), torch.Generator()

    def stepper(part: torch.nn.Module, batch: Callable[[], torch.Tensor]) -> Callable[[], object]:
        optimiser = torch.optim.Adam(part.parameters())

        def step() -> None:
            with autocast(device, recipe.bf16_on_cpu):
                logits = part(batch())
            optimiser.zero_grad()
            cross_entropy(logits.float(), labels).backward()
            optimiser.step()

        return step

    @torch.inference_mode()
    def output(part: Callable[[torch.Tensor], torch.Tensor], rows: torch.Tensor) -> torch.Tensor:
        return part(batch_of(images, rows).to(device))

    part_times = [0.0]
    for kind in {stage.train for stage in recipe.stages} - {"all"}:
        part, frozen = (model.dense, model.convolve) if kind == "dense" else (model.head, model.embed)
        features = output(frozen, rows).clone().flatten(1)
        part_times.append(_seconds(stepper(part, features.detach), device))
    step = 0.0
    if any(stage.train == "all" for stage in recipe.stages):
        step = _seconds(
            stepper(model, lambda: augmented(images, rows, recipe.augmentation, generator, device)), device
        )
    forward = _seconds(lambda: output(model.eval().embed, torch.arange(_FEATURE_BATCH)), device)
    return StepTimes(step, max(part_times), forward / _FEATURE_BATCH)


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    wait_for_device = torch.get_device_module(device).synchronize
    work()
    wait_for_device()
    durations: list[float] = []
    while len(durations) < _RUNS or sum(durations) < _SECONDS:
        start = time.perf_counter()
        work()
        wait_for_device()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations)


def plan(recipe: Recipe, sizes: Sizes, times: StepTimes, seconds: float) -> Plan:
    """The changes with which a training takes about `seconds` seconds.

    A pass of a frozen network over the data may take half of them: longer passes see each source image once,
    those of a classifier smaller images. A stage on frozen features gets as many epochs as fit into that
    half, the stages of the whole network get the rest, by `max_steps`.
    """
    if recipe.classifier:
        least = find_network(recipe.network).least_side
        share = math.sqrt(min(1.0, seconds / 2 / (times.forward * (sizes.rows + sizes.validation))))
        side = max(int(recipe.image_size * share), least)
        return Plan({"image_size": side, "weights": recipe.weights}, "all: a fitted classifier")
    stages, words = [], []
    left = seconds
    for stage in recipe.stages:
        if stage.train != "all":
            stage, stage_seconds = _frozen(stage, recipe, sizes, times, seconds / 2)
            left -= stage_seconds
        stages.append(stage)
    whole = [stage for stage in recipe.stages if stage.train == "all"]
    changes: dict[str, Any] = {"image_size": recipe.image_size, "weights": recipe.weights}
    if whole:
        steps = [stage.epochs * _steps(stage, recipe, sizes) for stage in whole]
        validation = sizes.validation * times.forward
        epochs = _epochs(whole, left / (sum(steps) * times.step), _VALIDATION_SHARE * left / validation)
        changes["max_steps"] = min(
            sum(steps), max(len(whole), int((left - sum(epochs) * validation) / times.step))
        )
        pairs = iter(epochs)
        stages = [stage.replace(epochs=next(pairs)) if stage.train == "all" else stage for stage in stages]
        words.append(f"{changes['max_steps']:,} of {sum(steps):,} steps")
    for stage, published in zip(stages, recipe.stages, strict=True):
        if stage.train != "all":
            is_shortened = stage.each_photo_once and not published.each_photo_once
            once = " of each source image once" if is_shortened else ""
            words.insert(0, f"{stage.train} {stage.epochs} of {published.epochs} epochs{once}")
    return Plan(changes | {"stages": [stage.model_dump() for stage in stages]}, ", ".join(words))


def _frozen(
    stage: Stage, recipe: Recipe, sizes: Sizes, times: StepTimes, seconds: float
) -> tuple[Stage, float]:
    """A stage on frozen features that fits into `seconds`, and the seconds it takes."""
    validation, epoch = _costs(stage, recipe, sizes, times)
    if validation + epoch > seconds:
        stage = stage.replace(each_photo_once=True)
        validation, epoch = _costs(stage, recipe, sizes, times)
    epochs = min(stage.epochs, max(1, int((seconds - validation) / epoch)))
    return stage.replace(epochs=epochs), validation + epochs * epoch


def _costs(stage: Stage, recipe: Recipe, sizes: Sizes, times: StepTimes) -> tuple[float, float]:
    """Seconds for computing a stage's frozen features, and for one of its epochs."""
    rows = sizes.sources if stage.each_photo_once else sizes.rows
    return times.forward * (rows + sizes.validation), _steps(stage, recipe, sizes) * times.part_step


def _steps(stage: Stage, recipe: Recipe, sizes: Sizes) -> int:
    """The steps of an epoch."""
    return max(1, round((sizes.sources if stage.each_photo_once else sizes.rows) / recipe.batch_size))


def _epochs(stages: list[Stage], share: float, most: float) -> list[int]:
    """About that share of each stage's epochs, at most `most` in total, in their published proportion."""
    parts = math.gcd(*(stage.epochs for stage in stages))
    part = sum(stage.epochs for stage in stages) // parts
    wanted = max(math.ceil(share * parts), math.ceil(_MIN_EPOCHS / part))
    factor = min(parts, max(1, min(wanted, int(most / part))))
    return [stage.epochs // parts * factor for stage in stages]
