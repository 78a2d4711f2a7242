"""`gemtrain train`: a dataset and a recipe become a model.

The whole method is in this file: stages of a schedule, each some epochs of steps; after every epoch the
validation split is measured and a checkpoint written, so that a killed run continues with its next epoch and
ends in the same model. The epoch of highest validation accuracy (then of lowest loss) is the result.
"""

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gemkit.errors import UserError
from gemkit.memo import CACHE
from gemkit.progress import Progress
from gemkit.tables import replaced, write_bytes, write_text
from gemtrain.data import Dataset, batch_of, on_device
from gemtrain.device import autocast
from gemtrain.features import frozen_features
from gemtrain.models import Classifier, build
from gemtrain.recipe import Recipe, Stage
from gemtrain.store import copy_state, model_folder, write_history, write_state
from gemtrain.weights import load_body, weights_file

#: Of the method: a change leaves old checkpoints unused.
_VERSION = 1

_VALIDATION_BATCH = 256
#: Steps between two looks at the loss; each look waits for the device.
_LOOK_STEPS = 20


@dataclass
class PlannedStage:
    """A stage of the schedule and the optimiser steps of each of its epochs."""

    number: int
    stage: Stage
    rows: Tensor
    epoch_steps: list[int]

    @property
    def steps(self) -> int:
        """Its optimiser steps in all."""
        return sum(self.epoch_steps)


@dataclass
class Examples:
    """What a network learns from or is measured on: `batch(rows, generator)` belongs to `labels[rows]`."""

    batch: Callable[[Tensor, torch.Generator | None], Tensor]
    labels: Tensor


def train(
    dataset_name: str, recipe_name: str, recipe: Recipe, seed: int, device: torch.device
) -> dict[str, Any]:
    """Train and write `models/<dataset>/<recipe>/`; the content of its model.json.

    Deterministic on a CPU for one seed and number of cores, also when it was killed and run again. Raises
    UserError when the dataset or the weights cannot be used, or the loss stops being a number.
    """
    dataset = Dataset(dataset_name)
    torch.manual_seed(seed)
    model = build(recipe.network, len(dataset.varieties), recipe.image_size)
    weights = weights_file(recipe.network, recipe.weights)
    if weights is not None:
        load_body(model.body, weights, recipe.network)
    run = Run(model, dataset, recipe, seed, device, weights)
    plan = plan_stages(recipe, dataset)
    for planned in plan[run.stage :]:
        train_stage(run, planned)
    about = {
        "dataset": dataset_name,
        "recipe": recipe_name,
        "network": recipe.network,
        "image_size": recipe.image_size,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "seed": seed,
        "epochs": len(run.history),
        "best_epoch": run.best_epoch,
        "validation_accuracy": round(run.history[run.best_epoch - 1]["validation_accuracy"], 6),
        "validation_loss": round(run.history[run.best_epoch - 1]["validation_loss"], 6),
        "settings": asdict(recipe),
        "varieties": dataset.varieties,
        "species": dataset.species,
    }
    folder = model_folder(dataset_name, recipe_name)
    for planned in plan:
        write_bytes(
            folder / f"stage-{planned.number}.safetensors", run.stage_path(planned.number).read_bytes()
        )
    write_state(folder / "model.safetensors", run.best)
    write_history(folder / "history.csv", run.history)
    write_text(folder / "model.json", json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    shutil.rmtree(run.folder)
    return about


def plan_stages(recipe: Recipe, dataset: Dataset) -> list[PlannedStage]:
    """The steps of each epoch; `max_steps` shrinks all stages of the whole network by the same share."""
    split = dataset.splits["train"]
    plan = []
    for number, stage in enumerate(recipe.stages, start=1):
        rows = split.one_row_a_photo() if stage.each_photo_once else torch.arange(len(split))
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


class Run:
    """A training and how far it is: model, history, best state; saved after every epoch."""

    def __init__(
        self,
        model: Classifier,
        dataset: Dataset,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        weights: Path | None,
    ):
        self.model, self.dataset, self.recipe, self.seed, self.device = (
            model.to(device),
            dataset,
            recipe,
            seed,
            device,
        )
        self.stage, self.epoch = 0, 0  # finished stages, and finished epochs of the one after them
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Tensor] = {}
        self.best_epoch = 0
        self.optimiser_state: dict[str, Any] | None = None
        identity = [
            _VERSION,
            asdict(recipe),
            seed,
            device.type,
            [split.fingerprint for split in dataset.splits.values()],
            hashlib.sha256(weights.read_bytes()).hexdigest() if weights else None,
        ]
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        self.folder = CACHE / "train" / key
        self._path = self.folder / "checkpoint.pt"
        if self._path.exists():
            self._resume()

    def stage_path(self, number: int) -> Path:
        """Where the state at the end of a stage is kept until the run ends."""
        return self.folder / f"stage-{number}.safetensors"

    def record(self, row: dict[str, Any], optimiser: torch.optim.Optimizer, last_of_stage: bool) -> None:
        """Add a finished epoch to the history and save everything."""
        self.history.append(row)
        score = (row["validation_accuracy"], -row["validation_loss"])
        state = copy_state(self.model)
        before = self.history[self.best_epoch - 1]
        if not self.best or score > (before["validation_accuracy"], -before["validation_loss"]):
            self.best, self.best_epoch = state, len(self.history)
        if last_of_stage:
            write_state(self.stage_path(row["stage"]), state)
            self.stage, self.epoch, self.optimiser_state = self.stage + 1, 0, None
        else:
            self.epoch += 1
            self.optimiser_state = optimiser.state_dict()
        with replaced(self._path) as temporary:
            torch.save(
                {
                    "model": state,
                    "optimiser": self.optimiser_state,
                    "stage": self.stage,
                    "epoch": self.epoch,
                    "history": self.history,
                    "best": self.best,
                    "best_epoch": self.best_epoch,
                },
                temporary,
            )

    def _resume(self) -> None:
        saved = torch.load(self._path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.optimiser_state = saved["optimiser"]
        self.stage, self.epoch = saved["stage"], saved["epoch"]
        self.history, self.best, self.best_epoch = saved["history"], saved["best"], saved["best_epoch"]


def train_stage(run: Run, planned: PlannedStage) -> None:
    """Train one stage, from where the run stands to its end."""
    network, training, validation = _examples(run, planned.stage, planned.rows)
    optimiser = _optimiser(run.model, planned.stage, run.recipe)
    if run.optimiser_state is not None:
        optimiser.load_state_dict(run.optimiser_state)
    name = f"train {run.dataset.name}, stage {planned.number} of {len(run.recipe.stages)}"
    with Progress(name, planned.steps * run.recipe.batch_size) as progress:
        progress.advance(sum(planned.epoch_steps[: run.epoch]) * run.recipe.batch_size)
        for epoch in range(run.epoch, len(planned.epoch_steps)):
            row: dict[str, Any] = {"epoch": len(run.history) + 1, "stage": planned.number}
            row |= train_epoch(run, planned, epoch, network, training, optimiser, progress)
            row["validation_loss"], row["validation_accuracy"] = measure(network, validation, run.device)
            run.record(row, optimiser, last_of_stage=epoch == len(planned.epoch_steps) - 1)


def train_epoch(
    run: Run,
    planned: PlannedStage,
    epoch: int,
    network: nn.Module,
    training: Examples,
    optimiser: torch.optim.Optimizer,
    progress: Progress,
) -> dict[str, float]:
    """One epoch (from 0) of a stage: its last learning rate and its mean loss and accuracy while learning."""
    size, device = run.recipe.batch_size, run.device
    first = sum(planned.epoch_steps[:epoch])
    last = first + planned.epoch_steps[epoch]
    # Random numbers depend on seed, stage and epoch alone, so that a run may continue here.
    torch.manual_seed(_seed(run.seed, "dropout", planned.number, epoch))
    generator = torch.Generator().manual_seed(_seed(run.seed, "augmentation", planned.number, epoch))
    batches = row_batches(len(planned.rows), size, first, last, _seed(run.seed, "order", planned.number))
    loss_sum = correct = torch.zeros((), device=device)
    network.train()
    if planned.stage.keep_statistics:
        _keep_statistics(network)
    for step, rows in enumerate(batches, start=first):
        factor = rate_factor(planned.stage, step, planned.steps)
        for group in optimiser.param_groups:
            group["lr"] = group["base_rate"] * factor
        labels = training.labels[rows].to(device)
        with autocast(device, run.recipe.cpu_bfloat16):
            logits = network(training.batch(rows, generator))
        smoothing = run.recipe.label_smoothing
        loss = functional.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss_sum = loss_sum + loss.detach()
        correct = correct + (logits.argmax(1) == labels).sum()
        if step % _LOOK_STEPS == 0 or step == last - 1:
            progress.note = f"loss {_finite(loss, run):.3f}"
        progress.advance(size)
    return {
        "learning_rate": planned.stage.learning_rate * factor,
        "train_loss": _finite(loss_sum, run) / (last - first),
        "train_accuracy": correct.item() / ((last - first) * size),
    }


def _examples(run: Run, stage: Stage, rows: Tensor) -> tuple[nn.Module, Examples, Examples]:
    """What a stage trains, and its training and validation examples: features for the head, else images."""
    train, validation = run.dataset.splits["train"], run.dataset.splits["validation"]
    pixels = [split.pixels(run.recipe.image_size) for split in (train, validation)]
    labels = [train.labels[rows], validation.labels]
    if stage.train == "head":
        features = [
            frozen_features(run.model, images, wanted, run.device).to(run.device)
            for images, wanted in zip(pixels, (rows, torch.arange(len(validation))), strict=True)
        ]

        def of(values: Tensor, answers: Tensor) -> Examples:
            return Examples(lambda batch, _: values[batch.to(run.device)], answers)

        return run.model.head, of(features[0], labels[0]), of(features[1], labels[1])
    images, validation_images = (on_device(values, run.device) for values in pixels)
    augmentation = run.recipe.augmentation

    def augmented(batch: Tensor, generator: torch.Generator | None) -> Tensor:
        return batch_of(images, rows[batch], augmentation, generator).to(run.device, non_blocking=True)

    def plain(batch: Tensor, _: torch.Generator | None) -> Tensor:
        return batch_of(validation_images, batch).to(run.device)

    return run.model, Examples(augmented, labels[0]), Examples(plain, labels[1])


def _optimiser(model: Classifier, stage: Stage, recipe: Recipe) -> torch.optim.Optimizer:
    head_rate = stage.head_learning_rate or stage.learning_rate
    groups: list[dict[str, Any]] = [{"params": model.head.parameters(), "base_rate": head_rate}]
    if stage.train == "all":
        groups.append({"params": model.body.parameters(), "base_rate": stage.learning_rate})
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, momentum=0.9, weight_decay=recipe.weight_decay)
    kind = torch.optim.AdamW if recipe.optimiser == "adamw" else torch.optim.Adam
    return kind(groups, weight_decay=recipe.weight_decay)


def _keep_statistics(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def rate_factor(stage: Stage, step: int, steps: int) -> float:
    """What the learning rate is multiplied with at a step (from 0) of a stage of `steps`."""
    warmup = round(stage.warmup * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if stage.decay == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def row_batches(count: int, size: int, first: int, last: int, seed: int) -> Iterator[Tensor]:
    """Batches `first` to `last` (excluded) of an endless stream of shuffled passes over `count` rows.

    Each is [size] int64. A batch depends only on its number and the seed, so that a run may begin anywhere.
    """
    start, end = first * size, last * size
    passes = range(start // count, (end - 1) // count + 1)
    stream = torch.cat(
        [
            torch.randperm(count, generator=torch.Generator().manual_seed(_seed(seed, "pass", number)))
            for number in passes
        ]
    )
    offset = start - passes.start * count
    yield from stream[offset : offset + end - start].split(size)


@torch.inference_mode()
def measure(network: nn.Module, examples: Examples, device: torch.device) -> tuple[float, float]:
    """Mean cross entropy and accuracy of a network on all examples."""
    network.eval()
    loss = correct = torch.zeros((), device=device)
    for rows in torch.arange(len(examples.labels)).split(_VALIDATION_BATCH):
        labels = examples.labels[rows].to(device)
        with autocast(device):
            logits = network(examples.batch(rows, None)).float()
        loss = loss + functional.cross_entropy(logits, labels, reduction="sum")
        correct = correct + (logits.argmax(1) == labels).sum()
    count = len(examples.labels)
    return loss.item() / count, correct.item() / count


def _finite(loss: Tensor, run: Run) -> float:
    value, epoch = loss.item(), len(run.history) + 1
    if not math.isfinite(value):
        kept = (
            f"the state after epoch {epoch - 1} is kept in '{run.folder}'"
            if epoch > 1
            else "nothing was learnt"
        )
        raise UserError(
            f"The loss became {value} in epoch {epoch} ({kept}); "
            "lower the recipe's 'learning_rate' or give it a 'warmup'."
        )
    return value


def _seed(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:7], "big")
