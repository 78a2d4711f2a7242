"""`gemtrain train`: a dataset and a recipe become a model.

The whole method is in this file: stages of a schedule, each some epochs of steps; after every epoch the
validation split is measured and a checkpoint written, so that a killed run continues with its next epoch and
ends in the same model. The epoch that the recipe's `keep` finds best is the result.
"""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gemkit.errors import UserError
from gemkit.progress import Progress
from gemkit.tables import write_bytes, write_text
from gemtrain.data.augment import augmented
from gemtrain.data.dataset import Dataset, batch_of, on_device
from gemtrain.data.prefetch import ahead
from gemtrain.device import autocast, is_out_of_memory, to_device
from gemtrain.model_store import HISTORY, model_folder, write_history, write_state
from gemtrain.models.classifier import Classifier
from gemtrain.models.factory import build_model, load_weights
from gemtrain.models.loading import weights_file
from gemtrain.models.lookup import build
from gemtrain.recipe import Recipe, Stage
from gemtrain.scoring.selective_prediction import learn_confidence
from gemtrain.training.checkpoint import Run
from gemtrain.training.feature_cache import frozen_features, state_hash
from gemtrain.training.linear_probe import fit_head
from gemtrain.training.schedule import PlannedStage, plan_stages, rate_factor, row_batches, seed_of

_VALIDATION_BATCH = 64
#: Steps between two looks at the losses; each look waits for the device.
_LOOK_STEPS = 20


@dataclass
class Examples:
    """What a network learns from or is measured on: `inputs(rows, generator)` belong to `labels[rows]`.

    The inputs come on the device, the labels are on the CPU. `class_weights` [classes], if any: what an
    example of each class counts in the loss.
    """

    inputs: Callable[[Tensor, torch.Generator], Tensor]
    labels: Tensor
    device: torch.device
    class_weights: Tensor | None = None

    def load(self, generator: torch.Generator, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and labels of some rows, on the device."""
        return self.inputs(rows, generator), to_device(self.labels[rows], self.device)


def train(
    dataset_name: str, recipe_name: str, recipe: Recipe, seed: int, device: torch.device
) -> dict[str, Any]:
    """Train and write `models/<dataset>/<recipe>/`; the content of its model.json.

    Deterministic on a CPU for one seed and number of cores, also when it was killed and run again. Raises
    UserError when the dataset or the weights cannot be used, the loss stops being a number, or a batch is too
    large for the memory.
    """
    dataset = Dataset(dataset_name)
    crop = dataset.crop
    torch.manual_seed(seed)
    model = build_model(
        recipe.network,
        len(dataset.varieties),
        recipe.image_size,
        recipe.channels,
        recipe.features,
        recipe.colour_bins,
    )
    weights = weights_file(recipe.network, recipe.weights)
    if weights is not None:
        load_weights(model, weights, recipe.network)
    _check_sizes(recipe)
    run = Run(model, dataset, recipe, seed, device, weights)
    if recipe.classifier:
        run.finish(fit_classifier(run, recipe.classifier))
    for planned in plan_stages(recipe, dataset)[run.stage :]:
        train_stage(run, planned)
    best = run.history[run.best_epoch - 1]
    model.load_state_dict(run.best)
    confidence = learn_confidence(
        model, dataset.splits["validation"], recipe.image_size, recipe.views, device
    )
    about = {
        "dataset": dataset_name,
        "dataset_version": dataset.version,
        "recipe": recipe_name,
        "network": recipe.network,
        "image_size": recipe.image_size,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "seed": seed,
        "epochs": len(run.history),
        "best_epoch": run.best_epoch,
        "validation_accuracy": round(best["validation_accuracy"], 6),
        "validation_loss": round(best["validation_loss"], 6),
        "confidence": asdict(confidence),
        "crop": crop,
        "stages": stage_ends(recipe, run.history),
        "settings": asdict(recipe),
        "varieties": dataset.varieties,
        "species": dataset.species,
    }
    folder = model_folder(dataset_name, recipe_name)
    (folder / "model.json").unlink(missing_ok=True)  # written last: with it the folder is of one training
    for number in range(1, len(recipe.stages) + 1):
        write_bytes(folder / f"stage-{number}.safetensors", run.stage_path(number).read_bytes())
    write_state(folder / "model.safetensors", run.best)
    write_history(folder / "history.csv", run.history)
    write_text(folder / "model.json", json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    run.forget()
    return about


def _check_sizes(recipe: Recipe) -> None:
    def shapes(image_size: int) -> list[torch.Size]:
        with torch.device("meta"):  # nothing is computed
            model = build(recipe.network, 2, image_size)
        return [parameter.shape for parameter in model.parameters()]

    for stage in recipe.stages:
        if stage.image_size and shapes(stage.image_size) != shapes(recipe.image_size):
            raise UserError(
                f"The network '{recipe.network}' has other layers for images of {stage.image_size} pixels "
                f"than for images of {recipe.image_size}; leave out the 'image_size' of the stage."
            )


def stage_ends(recipe: Recipe, history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was measured at the end of each stage of a schedule, where stage-<number>.safetensors is from."""
    ends = []
    for number, stage in enumerate(recipe.stages, start=1):
        epochs = [row for row in history if row["stage"] == number]
        end = {key: round(epochs[-1][key], 6) for key in HISTORY if key.startswith(("train_", "validation_"))}
        ends.append({"stage": number, "train": stage.train, "epochs": len(epochs), **end})
    return ends


def train_stage(run: Run, planned: PlannedStage) -> None:
    """Train one stage, from where the run stands to its end."""
    network, training, validation = _examples(run, planned.stage, planned.rows)
    if run.recipe.class_weights:
        training.class_weights = balancing_weights(training.labels).to(run.device)
    optimiser = _optimiser(run.model, network, planned.stage, run.recipe)
    run.begin(planned.stage, optimiser)
    measured = network if run.average is None else run.measured
    name = f"train {run.dataset.name}, stage {planned.number} of {len(run.recipe.stages)}"
    with Progress(name, planned.steps * run.recipe.batch_size) as progress:
        progress.advance(sum(planned.epoch_steps[: run.epoch]) * run.recipe.batch_size)
        for epoch in range(run.epoch, len(planned.epoch_steps)):
            row: dict[str, Any] = {"epoch": len(run.history) + 1, "stage": planned.number}
            row |= train_epoch(run, planned, epoch, network, training, optimiser, progress)
            row["validation_loss"], row["validation_accuracy"] = measure(measured, validation)
            _check_finite([row["validation_loss"]], "on the validation split", run)
            if run.record(row, optimiser, planned):
                break


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
    size = run.recipe.batch_size
    first = sum(planned.epoch_steps[:epoch])
    last = first + planned.epoch_steps[epoch]
    # Random numbers depend on seed, stage and epoch alone, so that a run may continue here.
    torch.manual_seed(seed_of(run.seed, "dropout", planned.number, epoch))
    generator = torch.Generator().manual_seed(seed_of(run.seed, "augmentation", planned.number, epoch))
    batches = row_batches(len(planned.rows), size, first, last, seed_of(run.seed, "order", planned.number))
    losses: list[float] = []
    unseen: list[Tensor] = []
    correct = torch.zeros((), device=run.device)
    network.train()
    if planned.stage.keep_statistics:
        _keep_statistics(network)
    for step, batch in enumerate(ahead(partial(training.load, generator), batches, run.device), start=first):
        factor = rate_factor(planned.stage, step, planned.steps)
        for group in optimiser.param_groups:
            group["lr"] = group["base_rate"] * factor
        learnt = learn(run, network, batch, training.class_weights, optimiser)
        if learnt is None:
            raise _too_large(run, network, training, optimiser)
        unseen.append(learnt[0])
        correct = correct + learnt[1]
        if step % _LOOK_STEPS == 0 or step == last - 1:
            losses += torch.stack(unseen).tolist()
            unseen = []
            _check_finite(losses, "", run)
            progress.note = f"loss {losses[-1]:.3f}"
        progress.advance(size)
    return {
        "learning_rate": planned.stage.learning_rate * factor,
        "train_loss": sum(losses) / len(losses),
        "train_accuracy": correct.item() / (len(losses) * size),
    }


def learn(
    run: Run,
    network: nn.Module,
    batch: Callable[[], tuple[Tensor, Tensor]],
    class_weights: Tensor | None,
    optimiser: torch.optim.Optimizer,
) -> tuple[Tensor, Tensor] | None:
    """One step: the loss of a batch and how many it got right, or None if the memory is too small for it."""
    try:
        inputs, labels = batch()
        with autocast(run.device, run.recipe.cpu_bfloat16):
            logits = network(inputs)
        loss = cross_entropy(logits.float(), labels, class_weights, run.recipe.label_smoothing)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if run.average is not None:
            run.average.update_parameters(run.model)
    except RuntimeError as error:
        if is_out_of_memory(error):
            return None
        raise
    if logits.dim() == 3:
        logits = logits.mean(1)
    return loss.detach(), (logits.argmax(1) == labels).sum()


def cross_entropy(
    logits: Tensor, labels: Tensor, class_weights: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
    """Mean cross entropy of logits [N, classes], or [N, experts, classes], with labels [N]."""
    if logits.dim() == 3:
        labels = labels.repeat_interleave(logits.shape[1])
        logits = logits.flatten(0, 1)
    return functional.cross_entropy(logits, labels, class_weights, label_smoothing=smoothing)


def _examples(run: Run, stage: Stage, rows: Tensor) -> tuple[nn.Module, Examples, Examples]:
    """What a stage trains, and its training and validation examples: images, or frozen features."""
    train, validation = run.dataset.splits["train"], run.dataset.splits["validation"]
    labels = train.labels[rows], validation.labels
    if stage.train != "all":
        dense = stage.train == "dense"
        part = run.model.dense if dense else run.model.head
        frozen = run.model.convolve if dense else run.model.embed

        def of(values: Tensor, answers: Tensor) -> Examples:
            values = on_device(values, run.device)

            def chosen(batch: Tensor, _: torch.Generator) -> Tensor:
                return to_device(values[to_device(batch, values.device)], run.device).float()

            return Examples(chosen, answers, run.device)

        train_features, validation_features = _features(run, part, frozen, rows, stage.image_size)
        return part, of(train_features, labels[0]), of(validation_features, labels[1])
    images, validation_images = (on_device(pixels, run.device) for pixels in _pixels(run, stage.image_size))

    def changed(batch: Tensor, generator: torch.Generator) -> Tensor:
        return augmented(images, rows[batch], run.recipe.augmentation, generator, run.device)

    def plain(batch: Tensor, _: torch.Generator) -> Tensor:
        return to_device(batch_of(validation_images, batch), run.device)

    return run.model, Examples(changed, labels[0], run.device), Examples(plain, labels[1], run.device)


def _pixels(run: Run, training_size: int | None) -> tuple[Tensor, Tensor]:
    """The training images, in a size of their own where there is one, and the validation images."""
    recipe, splits = run.recipe, run.dataset.splits
    return (
        splits["train"].pixels(training_size or recipe.image_size, recipe.channels),
        splits["validation"].pixels(recipe.image_size, recipe.channels),
    )


def _features(
    run: Run,
    part: nn.Module,
    frozen: Callable[[Tensor], Tensor],
    rows: Tensor,
    training_size: int | None = None,
) -> tuple[Tensor, Tensor]:
    """What the frozen rest of a model gives to the part that learns: training rows, validation split."""
    run.model.eval()
    learning = {id(value) for value in part.state_dict(keep_vars=True).values()}
    rest = {
        name: value
        for name, value in run.model.state_dict(keep_vars=True).items()
        if id(value) not in learning
    }
    settings = [run.recipe.network, run.recipe.features, run.recipe.colour_bins, state_hash(rest)]
    images, validation_images = _pixels(run, training_size)
    return (
        frozen_features(frozen, settings, images, rows, run.device),
        frozen_features(
            frozen, settings, validation_images, torch.arange(len(validation_images)), run.device
        ),
    )


def fit_classifier(run: Run, kind: str) -> dict[str, Any]:
    """Fit the last layer on frozen features, without steps; the one row of the history."""
    train, validation = run.dataset.splits["train"], run.dataset.splits["validation"]
    features = _features(run, run.model.head, run.model.embed, torch.arange(len(train)))
    return fit_head(
        run.model.head, kind, (features[0], train.labels), (features[1], validation.labels), run.seed
    )


def _optimiser(model: Classifier, part: nn.Module, stage: Stage, recipe: Recipe) -> torch.optim.Optimizer:
    """Of the part of a model that learns; parameters of one rate and one weight decay are a group."""
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


def balancing_weights(labels: Tensor) -> Tensor:
    """What an example of each class counts, [classes], so that all classes of `labels` count the same."""
    examples = labels.bincount()
    return len(labels) / (len(examples) * examples)


def _keep_statistics(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


@torch.inference_mode()
def measure(network: nn.Module, examples: Examples) -> tuple[float, float]:
    """Mean cross entropy and accuracy of a network on all examples."""
    network.eval()
    loss = correct = torch.zeros((), device=examples.device)
    batches = torch.arange(len(examples.labels)).split(_VALIDATION_BATCH)
    for batch in ahead(partial(examples.load, torch.default_generator), batches, examples.device):
        inputs, labels = batch()
        with autocast(examples.device):
            logits = network(inputs).float()
        loss = loss + functional.cross_entropy(logits, labels, reduction="sum")
        correct = correct + (logits.argmax(1) == labels).sum()
    count = len(examples.labels)
    return loss.item() / count, correct.item() / count


def _check_finite(losses: list[float], where: str, run: Run) -> None:
    for number, loss in enumerate(losses, start=1):
        if not math.isfinite(loss):
            epoch = len(run.history) + 1
            kept = f"the state after epoch {epoch - 1} is kept in '{run.folder}'"
            raise UserError(
                f"The loss became {loss} {where or f'in batch {number}'} of epoch {epoch} "
                f"({kept if epoch > 1 else 'nothing was learnt'}); "
                "lower the recipe's 'learning_rate' or give it a 'warmup'."
            )


def _too_large(
    run: Run, network: nn.Module, training: Examples, optimiser: torch.optim.Optimizer
) -> UserError:
    """What to say when a batch did not fit: halves are tried until one does. The model is lost by it."""
    size = run.recipe.batch_size
    while (size := size // 2) > 1:
        optimiser.zero_grad()
        if run.device.type == "cuda":
            torch.cuda.empty_cache()
        batch = partial(training.load, torch.Generator(), torch.arange(size) % len(training.labels))
        if all(learn(run, network, batch, training.class_weights, optimiser) for _ in range(2)):
            break
    advice = f"set the recipe's 'batch_size' to {size}, which fits" if size > 1 else "lower its 'image_size'"
    return UserError(
        f"A batch of {run.recipe.batch_size} images of {run.recipe.image_size} pixels does not fit into the "
        f"memory of the {run.device.type}; {advice}."
    )
