"""`gemtrain train`: train a recipe on a dataset.

`train_stages` is the training loop: a schedule has stages, a stage has epochs, an epoch has steps. After each
epoch the model is validated and a checkpoint is written, so that a killed training continues with its next
epoch and ends in the same model. The result is the epoch that the recipe's `monitor` selects.
"""

import math
from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from gemkit.errors import UserError
from gemkit.progress import Progress
from gemkit.project import Project
from gemtrain.data.dataset import Dataset
from gemtrain.data.prefetch import prefetch
from gemtrain.device import autocast, choose_device
from gemtrain.model_metadata import EpochResult, ModelMetadata, StageEnd
from gemtrain.model_store import copy_state, write_model, write_state
from gemtrain.models.classifier import Classifier
from gemtrain.models.factory import build_model, load_weights
from gemtrain.models.loading import weights_file
from gemtrain.models.lookup import build
from gemtrain.recipe import Recipe, load_recipe
from gemtrain.scoring.selective_prediction import fit_model_confidence
from gemtrain.training.checkpoint import CheckpointFolder, TrainingState
from gemtrain.training.examples import Examples, stage_examples
from gemtrain.training.linear_probe import fit_classifier
from gemtrain.training.loss import correct_predictions, cross_entropy
from gemtrain.training.optimiser import (
    balancing_weights,
    build_average,
    build_optimiser,
    set_learning_rate,
)
from gemtrain.training.out_of_memory import BatchTooLarge, batch_too_large_error, detect_out_of_memory
from gemtrain.training.schedule import is_over, plan_stages, rate_factor, row_batches, seed_of

_VALIDATION_BATCH = 64
#: Log the loss every N steps, which synchronises the device.
_LOG_EVERY = 20


def train(
    project: Project,
    dataset: Dataset | str,
    recipe: Recipe | str,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> ModelMetadata:
    """Train a model and write `models/<dataset>/<recipe>/`; returns the content of its model.json.

    `dataset` is a dataset or the name of one in the project, `recipe` a recipe or its name, `device` cpu or
    cuda; it is selected automatically when left out. Deterministic on a CPU for a given seed and number of
    cores, even if the training was killed and resumed. Raises UserError when there is no such dataset or
    recipe, the dataset or the weights cannot be used, the loss is no longer finite, or a batch does not fit
    into the memory.
    """
    recipe = load_recipe(recipe) if isinstance(recipe, str) else recipe
    name, device = recipe.name, choose_device(device)
    dataset = Dataset(project, dataset) if isinstance(dataset, str) else dataset
    crop = dataset.crop
    torch.manual_seed(seed)
    model = build_model(recipe, len(dataset.varieties))
    weights = weights_file(project, recipe.network, recipe.weights)
    if weights is not None:
        load_weights(model, weights, recipe.network)
    _check_sizes(recipe)
    model.to(device)
    fingerprints = [split.fingerprint for split in dataset.splits.values()]
    folder = CheckpointFolder.of(project, recipe, seed, device, fingerprints, weights)
    too_large = None
    try:
        if recipe.classifier:
            state = TrainingState()
            row = fit_classifier(model, dataset, recipe, recipe.classifier, seed, device)
            state.add_epoch(row, copy_state(model), recipe.monitor)
        else:
            state = train_stages(model, dataset, recipe, seed, device, folder)
    except BatchTooLarge as error:
        too_large = error.planned  # while `error` exists, so do the tensors of the step
    if too_large is not None:
        raise batch_too_large_error(model, dataset, recipe, too_large, device)
    best = state.history[state.best_epoch - 1]
    model.load_state_dict(state.best)
    confidence = fit_model_confidence(
        model, dataset.splits["validation"], recipe.image_size, recipe.tta_views, device
    )
    metadata = ModelMetadata(
        dataset=dataset.name,
        dataset_version=dataset.version,
        recipe=name,
        network=recipe.network,
        image_size=recipe.image_size,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        seed=seed,
        epochs=len(state.history),
        best_epoch=state.best_epoch,
        validation_accuracy=round(best.validation_accuracy, 6),
        validation_loss=round(best.validation_loss, 6),
        confidence=confidence,
        crop=crop,
        stages=stage_ends(recipe, state.history),
        settings=recipe,
        varieties=dataset.varieties,
        species=dataset.species,
    )
    stage_files = [folder.stage_end(end.stage) for end in metadata.stages]
    write_model(project, metadata, state.best, state.history, stage_files)
    folder.delete()
    return metadata


def train_stages(
    model: Classifier,
    dataset: Dataset,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    folder: CheckpointFolder,
) -> TrainingState:
    """Train all stages of a recipe, from the last checkpoint if there is one; returns the final state.

    Raises UserError when the loss is no longer finite, and BatchTooLarge.
    """
    state = folder.load() or TrainingState()
    if state.history:
        model.load_state_dict(state.model)
    for planned in plan_stages(recipe, dataset)[state.stage :]:
        stage, size = planned.stage, recipe.batch_size
        part, training, validation = stage_examples(model, dataset, recipe, planned, device)
        class_weights = balancing_weights(training.labels).to(device) if recipe.class_weights else None
        optimiser, average = build_optimiser(model, part, stage, recipe), build_average(model, stage)
        if state.optimiser is not None:
            optimiser.load_state_dict(state.optimiser)
        if state.average is not None and average is not None:
            average.load_state_dict(state.average)
        averaged = None if average is None else average.module
        name = f"train {dataset.name}, stage {planned.number} of {len(recipe.stages)}"
        with Progress(name, planned.steps * size) as progress:
            progress.advance(sum(planned.epoch_steps[: state.epoch]) * size)

            for epoch in range(state.epoch, len(planned.epoch_steps)):
                # Random numbers depend only on seed, stage and epoch, so that a training can resume here.
                torch.manual_seed(seed_of(seed, "dropout", planned.number, epoch))
                generator = torch.Generator().manual_seed(
                    seed_of(seed, "augmentation", planned.number, epoch)
                )
                order = seed_of(seed, "order", planned.number)
                first, last = planned.epoch_range(epoch)
                rows = row_batches(len(planned.rows), size, first, last, order)
                batches = prefetch(partial(training.load, generator), rows, device)
                losses: list[float] = []
                pending: list[Tensor] = []
                correct = torch.zeros((), device=device)
                part.train()
                if stage.freeze_batchnorm:
                    _freeze_batchnorm(part)

                for step, load_batch in enumerate(batches, start=first):
                    factor = rate_factor(stage, step, planned.steps)
                    set_learning_rate(optimiser, factor)
                    with detect_out_of_memory(planned):
                        inputs, labels = load_batch()
                        with autocast(device, recipe.bf16_on_cpu):
                            logits = part(inputs)
                        loss = cross_entropy(logits.float(), labels, class_weights, recipe.label_smoothing)
                        optimiser.zero_grad()
                        loss.backward()
                        optimiser.step()
                        if average is not None:
                            average.update_parameters(model)
                    pending.append(loss.detach())
                    correct = correct + correct_predictions(logits, labels)
                    if step % _LOG_EVERY == 0 or step == last - 1:
                        losses += torch.stack(pending).tolist()
                        pending = []
                        _check_finite(losses, "", state, folder)
                        progress.note = f"loss {losses[-1]:.3f}"
                    progress.advance(size)

                validation_loss, validation_accuracy = validate(averaged or part, validation)
                _check_finite([validation_loss], "on the validation split", state, folder)
                row = EpochResult(
                    epoch=len(state.history) + 1,
                    stage=planned.number,
                    learning_rate=stage.learning_rate * factor,
                    train_loss=sum(losses) / len(losses),
                    train_accuracy=correct.item() / (len(losses) * size),
                    validation_loss=validation_loss,
                    validation_accuracy=validation_accuracy,
                )
                weights = copy_state(averaged or model)
                state.add_epoch(row, weights, recipe.monitor)
                over = is_over(planned, recipe, state.history)
                if over:
                    write_state(folder.stage_end(planned.number), weights)
                    model.load_state_dict(weights)
                    state.end_stage(model)
                else:
                    state.end_epoch(model, optimiser, average)
                state.save(folder.checkpoint)
                if over:
                    break
        del training, validation, optimiser, average, averaged  # room for those of the next stage
    return state


@torch.inference_mode()
def validate(network: nn.Module, examples: Examples) -> tuple[float, float]:
    """Mean cross entropy and accuracy of a network on all examples."""
    network.eval()
    loss = correct = torch.zeros((), device=examples.device)
    batches = torch.arange(len(examples.labels)).split(_VALIDATION_BATCH)
    for load_batch in prefetch(partial(examples.load, torch.default_generator), batches, examples.device):
        inputs, labels = load_batch()
        with autocast(examples.device):
            logits = network(inputs).float()
        loss = loss + functional.cross_entropy(logits, labels, reduction="sum")
        correct = correct + correct_predictions(logits, labels)
    count = len(examples.labels)
    return loss.item() / count, correct.item() / count


def stage_ends(recipe: Recipe, history: Iterable[EpochResult]) -> list[StageEnd]:
    """The scores at the end of each stage of a schedule, where stage-<number>.safetensors was written."""
    ends = []
    for number, stage in enumerate(recipe.stages, start=1):
        epochs = [row for row in history if row.stage == number]
        last = epochs[-1]
        ends.append(
            StageEnd(
                stage=number,
                train=stage.train,
                epochs=len(epochs),
                train_loss=round(last.train_loss, 6),
                train_accuracy=round(last.train_accuracy, 6),
                validation_loss=round(last.validation_loss, 6),
                validation_accuracy=round(last.validation_accuracy, 6),
            )
        )
    return ends


def _freeze_batchnorm(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _check_finite(
    losses: Iterable[float], where: str, state: TrainingState, folder: CheckpointFolder
) -> None:
    for number, loss in enumerate(losses, start=1):
        if not math.isfinite(loss):
            epoch = len(state.history) + 1
            saved = f"the state after epoch {epoch - 1} is saved in '{folder.path}'"
            raise UserError(
                f"The loss became {loss} {where or f'in batch {number}'} of epoch {epoch} "
                f"({saved if epoch > 1 else 'no epoch was finished'}); "
                "lower the recipe's 'learning_rate' or give it a 'warmup'."
            )


def _check_sizes(recipe: Recipe) -> None:
    """Refuse stages at an image size for which the network has other layers."""
    for stage in recipe.stages:
        if stage.image_size and _shapes(recipe, stage.image_size) != _shapes(recipe, recipe.image_size):
            raise UserError(
                f"The layers of the network '{recipe.network}' differ between images of {stage.image_size} "
                f"and {recipe.image_size} pixels; leave out the 'image_size' of the stage."
            )


def _shapes(recipe: Recipe, image_size: int) -> list[torch.Size]:
    with torch.device("meta"):  # shapes only, nothing is computed
        model = build(recipe.network, 2, image_size)
    return [parameter.shape for parameter in model.parameters()]
