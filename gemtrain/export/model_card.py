"""The model card: what to know before using an exported model, as Markdown."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gemkit.arrays import Array
from gemkit.html import markdown_table, render
from gemkit.stats.confidence_intervals import Interval
from gemtrain.data.dataset import Dataset
from gemtrain.evaluation.metrics import per_class
from gemtrain.evaluation.outputs import class_rows
from gemtrain.evaluation.records import Metrics
from gemtrain.export.benchmark import Measured
from gemtrain.export.latency import processor
from gemtrain.export.onnx_graph import INPUT, OUTPUT
from gemtrain.model_metadata import ModelMetadata

_CARD = Path(__file__).with_suffix(".md.j2")


class _Reading(NamedTuple):
    """How Pillow reads an image of `colours`, and how its pixels become the input."""

    colours: str
    image: str
    pixels: str


#: By number of channels.
_READING = {
    1: _Reading(
        "grey",
        'Image.open("crop.jpg").convert("L").resize({size})',
        "np.asarray(image)[None, ..., None]",
    ),
    3: _Reading(
        "RGB",
        'Image.open("crop.jpg").convert("RGB").resize({size})',
        "np.asarray(image)[None]",
    ),
    4: _Reading(
        "RGB and a fourth band",
        '[band.resize({size}) for band in Image.open("crop.png").split()]',
        "np.dstack(image)[None]",
    ),
}


def model_card(
    dataset: Dataset,
    metadata: ModelMetadata,
    metrics: Metrics,
    calibrated: Array,
    measured: Sequence[Measured],
) -> str:
    """The text of the card of a model.

    `metrics` is what `evaluate` wrote, `calibrated` the probabilities [N, classes] of the test images.
    """
    return render(
        _CARD,
        dataset=dataset,
        model=metadata,
        metrics=metrics,
        input=INPUT,
        output=OUTPUT,
        processor=processor(),
        reading=_READING[metadata.settings.channels],
        training=_training(metadata),
        splits=_splits(dataset),
        scores=_scores(metrics),
        files=_files(measured),
        classes=_classes(dataset, calibrated),
    )


def _splits(dataset: Dataset) -> str:
    rows = [
        (split.name, f"{len(set(split.sha256s)):,}", f"{len(set(split.groups)):,}", f"{len(split):,}")
        for split in dataset.splits.values()
    ]
    return markdown_table(("split", "source images", "groups", "images"), rows)


def _training(metadata: ModelMetadata) -> dict[str, str]:
    """The facts about the training that apply, by name."""
    settings = metadata.settings
    views, bins = settings.tta_views, settings.colour_bins
    facts = {
        "recipe": settings.description,
        "source": settings.source,
        "published result": settings.published,
        "parameters": f"{metadata.parameters:,}",
        "initial weights": Path(settings.weights).name,
        "images": f"{metadata.image_size} pixels, {settings.channels} channels",
        "colour expert": f"a histogram of {bins} bins a channel" if bins else "",
        **(_schedule(metadata) if metadata.stages else {}),
        "classifier": settings.classifier or "",
        "seed": str(metadata.seed),
        "probabilities": f"the mean over {views} orientations of an image" if views > 1 else "",
    }
    return {name: fact for name, fact in facts.items() if fact}


def _schedule(metadata: ModelMetadata) -> dict[str, str]:
    settings = metadata.settings
    stages = [
        f"{ended.epochs} epochs of {stage.train} at a learning rate of {stage.learning_rate:g}"
        for stage, ended in zip(settings.stages, metadata.stages, strict=True)
    ]
    changes = [
        name if value is True else f"{name} {value:g}"
        for name, value in vars(settings.augmentation).items()
        if value
    ]
    return {
        "stages": "; ".join(stages),
        "optimiser": f"{settings.optimiser}, batches of {settings.batch_size}",
        "augmentation": ", ".join(changes),
        "selected": f"epoch {metadata.best_epoch} of {metadata.epochs}, by {settings.monitor}",
    }


def _scores(metrics: Metrics) -> str:
    estimates = {
        **{f"top-{k}": estimate for k, estimate in metrics.top.items()},
        "top-1 of the species": metrics.top1_of_species,
        "macro F1": metrics.f1,
        "a random forest on colour and texture": metrics.forest,
    }
    rows = [
        (name, f"{estimate.value:.3f}", _range(estimate.interval)) for name, estimate in estimates.items()
    ]
    rows.append(("always the most frequent class", f"{metrics.baselines.majority:.3f}", ""))
    return markdown_table(("score", "value", "95 % interval"), rows)


def _files(measured: Sequence[Measured]) -> str:
    threads = list(measured[0].milliseconds)
    columns = (
        "", "MB", "top-1", "less than PyTorch", "same first class", "calibration error",
        *(f"ms, {count} thread{'s' * (count > 1)}" for count in threads),
    )  # fmt: skip
    rows = [
        (
            row.name,
            f"{row.bytes / 1e6:.1f}" if row.bytes is not None else "",
            str(row.top1),
            str(row.loss) if row.bytes is not None else "",
            str(row.agreement) if row.bytes is not None else "",
            f"{row.calibration_error:.3f}",
            *(f"{row.milliseconds[count]:.2f}" for count in threads),
        )
        for row in measured
    ]
    return markdown_table(columns, rows)


def _classes(dataset: Dataset, calibrated: Array) -> str:
    test = dataset.splits["test"]
    table = per_class(test.labels.numpy(), calibrated, test.groups)
    rows = [
        (
            row.variety,
            row.species or "",
            f"{row.training_photos:,}",
            f"{row.images:,}",
            f"{row.recall:.3f}",
            _range(row.accuracy.interval),
        )
        for row in class_rows(dataset, table)
    ]
    return markdown_table(
        ("class", "species", "training source images", "test images", "recognised", "95 % interval"), rows
    )


def _range(interval: Interval) -> str:
    return f"{interval.low:.3f} to {interval.high:.3f}"
