"""`gemtrain train`: train a recipe on a dataset.

The training loop is in this file. A schedule has stages, a stage has epochs, an epoch has steps. After each
epoch the model is validated and a checkpoint is written, so that a killed training continues with its next
epoch and ends in the same model. The result is the epoch that the recipe's `monitor` selects.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from gemkit.errors import UserError
from gemkit.progress import Progress
from gemkit.tables import write_bytes
from gemtrain.data.dataset import Dataset
from gemtrain.data.prefetch import prefetch
from gemtrain.device import autocast, is_out_of_memory
from gemtrain.model_metadata import EpochResult, ModelMetadata, StageEnd
from gemtrain.model_store import model_folder, write_history, write_metadata, write_state
from gemtrain.models.factory import build_model, load_weights
from gemtrain.models.loading import weights_file
from gemtrain.models.lookup import build
from gemtrain.recipe import Recipe
from gemtrain.scoring.selective_prediction import fit_model_confidence
from gemtrain.training.checkpoint import TrainingState
from gemtrain.training.examples import Examples, part_features, stage_examples
from gemtrain.training.linear_probe import fit_head
from gemtrain.training.optimiser import balancing_weights, build_optimiser
from gemtrain.training.schedule import PlannedStage, plan_stages, rate_factor, row_batches, seed_of

_VALIDATION_BATCH = 64
#: Log the loss every N steps, which synchronises the device.
_LOG_EVERY = 20


def train(
    dataset_name: str, recipe_name: str, recipe: Recipe, seed: int, device: torch.device
) -> ModelMetadata:
    """Train a model and write `models/<dataset>/<recipe>/`; returns the content of its model.json.

    Deterministic on a CPU for a given seed and number of cores, even if the training was killed and resumed.
    Raises UserError when the dataset or the weights cannot be used, the loss is no longer finite, or a batch
    does not fit into the memory.
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
    state = TrainingState(model, dataset, recipe, seed, device, weights)
    if recipe.classifier:
        state.add_epoch(fit_classifier(state, recipe.classifier))
    for planned in plan_stages(recipe, dataset)[state.stage :]:
        train_stage(state, planned)
    best = state.history[state.best_epoch - 1]
    model.load_state_dict(state.best)
    confidence = fit_model_confidence(
        model, dataset.splits["validation"], recipe.image_size, recipe.tta_views, device
    )
    metadata = ModelMetadata(
        dataset=dataset_name,
        dataset_version=dataset.version,
        recipe=recipe_name,
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
    folder = model_folder(dataset_name, recipe_name)
    (folder / "model.json").unlink(missing_ok=True)  # written last: it marks the folder as complete
    for number in range(1, len(recipe.stages) + 1):
        write_bytes(folder / f"stage-{number}.safetensors", state.stage_path(number).read_bytes())
    write_state(folder / "model.safetensors", state.best)
    write_history(folder / "history.csv", state.history)
    write_metadata(folder / "model.json", metadata)
    state.delete()
    return metadata


def _check_sizes(recipe: Recipe) -> None:
    def shapes(image_size: int) -> list[torch.Size]:
        with torch.device("meta"):  # shapes only, nothing is computed
            model = build(recipe.network, 2, image_size)
        return [parameter.shape for parameter in model.parameters()]

    for stage in recipe.stages:
        if stage.image_size and shapes(stage.image_size) != shapes(recipe.image_size):
            raise UserError(
                f"The layers of the network '{recipe.network}' differ between images of {stage.image_size} "
                f"and {recipe.image_size} pixels; leave out the 'image_size' of the stage."
            )


def stage_ends(recipe: Recipe, history: list[EpochResult]) -> list[StageEnd]:
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


def train_stage(state: TrainingState, planned: PlannedStage) -> None:
    """Train a stage from its first unfinished epoch to its end."""
    network, training, validation = stage_examples(state, planned.stage, planned.rows)
    if state.recipe.class_weights:
        training.class_weights = balancing_weights(training.labels).to(state.device)
    optimiser = build_optimiser(state.model, network, planned.stage, state.recipe)
    state.start_stage(planned.stage, optimiser)
    evaluated = network if state.average is None else state.evaluated_model
    name = f"train {state.dataset.name}, stage {planned.number} of {len(state.recipe.stages)}"
    with Progress(name, planned.steps * state.recipe.batch_size) as progress:
        progress.advance(sum(planned.epoch_steps[: state.epoch]) * state.recipe.batch_size)
        for epoch in range(state.epoch, len(planned.epoch_steps)):
            trained = train_epoch(state, planned, epoch, network, training, optimiser, progress)
            loss, accuracy = validate(evaluated, validation)
            _check_finite([loss], "on the validation split", state)
            row = EpochResult(
                epoch=len(state.history) + 1,
                stage=planned.number,
                **trained,
                validation_loss=loss,
                validation_accuracy=accuracy,
            )
            if state.end_epoch(row, optimiser, planned):
                break


def train_epoch(
    state: TrainingState,
    planned: PlannedStage,
    epoch: int,
    network: nn.Module,
    training: Examples,
    optimiser: torch.optim.Optimizer,
    progress: Progress,
) -> dict[str, float]:
    """Train one epoch (from 0) of a stage; returns its last learning rate and its mean loss and accuracy."""
    size = state.recipe.batch_size
    first = sum(planned.epoch_steps[:epoch])
    last = first + planned.epoch_steps[epoch]
    # Random numbers depend only on seed, stage and epoch, so that a training can resume here.
    torch.manual_seed(seed_of(state.seed, "dropout", planned.number, epoch))
    generator = torch.Generator().manual_seed(seed_of(state.seed, "augmentation", planned.number, epoch))
    batches = row_batches(len(planned.rows), size, first, last, seed_of(state.seed, "order", planned.number))
    losses: list[float] = []
    pending: list[Tensor] = []
    correct = torch.zeros((), device=state.device)
    network.train()
    if planned.stage.freeze_batchnorm:
        _freeze_batchnorm(network)
    for step, batch in enumerate(
        prefetch(partial(training.load, generator), batches, state.device), start=first
    ):
        factor = rate_factor(planned.stage, step, planned.steps)
        for group in optimiser.param_groups:
            group["lr"] = group["base_rate"] * factor
        result = training_step(state, network, batch, training.class_weights, optimiser)
        if result is None:
            raise _out_of_memory_error(state, network, training, optimiser)
        pending.append(result[0])
        correct = correct + result[1]
        if step % _LOG_EVERY == 0 or step == last - 1:
            losses += torch.stack(pending).tolist()
            pending = []
            _check_finite(losses, "", state)
            progress.note = f"loss {losses[-1]:.3f}"
        progress.advance(size)
    return {
        "learning_rate": planned.stage.learning_rate * factor,
        "train_loss": sum(losses) / len(losses),
        "train_accuracy": correct.item() / (len(losses) * size),
    }


def training_step(
    state: TrainingState,
    network: nn.Module,
    batch: Callable[[], tuple[Tensor, Tensor]],
    class_weights: Tensor | None,
    optimiser: torch.optim.Optimizer,
) -> tuple[Tensor, Tensor] | None:
    """One optimiser step; returns the loss and the number of correct predictions, or None out of memory."""
    try:
        inputs, labels = batch()
        with autocast(state.device, state.recipe.bf16_on_cpu):
            logits = network(inputs)
        loss = cross_entropy(logits.float(), labels, class_weights, state.recipe.label_smoothing)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if state.average is not None:
            state.average.update_parameters(state.model)
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
    """Mean cross entropy between logits [N, classes], or [N, experts, classes], and labels [N]."""
    if logits.dim() == 3:
        labels = labels.repeat_interleave(logits.shape[1])
        logits = logits.flatten(0, 1)
    return functional.cross_entropy(logits, labels, class_weights, label_smoothing=smoothing)


def fit_classifier(state: TrainingState, kind: str) -> EpochResult:
    """Fit the last layer on frozen features, without steps; returns the only row of the history."""
    train, validation = state.dataset.splits["train"], state.dataset.splits["validation"]
    features = part_features(state, state.model.head, state.model.embed, torch.arange(len(train)))
    return fit_head(
        state.model.head, kind, (features[0], train.labels), (features[1], validation.labels), state.seed
    )


def _freeze_batchnorm(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


@torch.inference_mode()
def validate(network: nn.Module, examples: Examples) -> tuple[float, float]:
    """Mean cross entropy and accuracy of a network on all examples."""
    network.eval()
    loss = correct = torch.zeros((), device=examples.device)
    batches = torch.arange(len(examples.labels)).split(_VALIDATION_BATCH)
    for batch in prefetch(partial(examples.load, torch.default_generator), batches, examples.device):
        inputs, labels = batch()
        with autocast(examples.device):
            logits = network(inputs).float()
        loss = loss + functional.cross_entropy(logits, labels, reduction="sum")
        correct = correct + (logits.argmax(1) == labels).sum()
    count = len(examples.labels)
    return loss.item() / count, correct.item() / count


def _check_finite(losses: list[float], where: str, state: TrainingState) -> None:
    for number, loss in enumerate(losses, start=1):
        if not math.isfinite(loss):
            epoch = len(state.history) + 1
            saved = f"the state after epoch {epoch - 1} is saved in '{state.folder}'"
            raise UserError(
                f"The loss became {loss} {where or f'in batch {number}'} of epoch {epoch} "
                f"({saved if epoch > 1 else 'no epoch was finished'}); "
                "lower the recipe's 'learning_rate' or give it a 'warmup'."
            )


def _out_of_memory_error(
    state: TrainingState, network: nn.Module, training: Examples, optimiser: torch.optim.Optimizer
) -> UserError:
    """The error that names a batch size that fits. Leaves the model in an undefined state."""
    size = state.recipe.batch_size
    while (size := size // 2) > 1:
        optimiser.zero_grad()
        if state.device.type == "cuda":
            torch.cuda.empty_cache()
        batch = partial(training.load, torch.Generator(), torch.arange(size) % len(training.labels))
        if all(training_step(state, network, batch, training.class_weights, optimiser) for _ in range(2)):
            break
    advice = f"set the recipe's 'batch_size' to {size}, which fits" if size > 1 else "lower its 'image_size'"
    return UserError(
        f"A batch of {state.recipe.batch_size} images of {state.recipe.image_size} pixels does not fit into "
        f"the memory of the {state.device.type}; {advice}."
    )
