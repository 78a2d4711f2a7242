"""The model card: what to know before using an exported model, as Markdown."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gemkit.html import markdown_table
from gemtrain.data.dataset import Dataset
from gemtrain.evaluation.metrics import TOP, per_class
from gemtrain.export.benchmark import Measured
from gemtrain.export.latency import processor
from gemtrain.export.onnx_graph import INPUT, OUTPUT
from gemtrain.model_metadata import ModelMetadata
from gemtrain.scoring.selective_prediction import Confidence

#: By number of channels: how Pillow reads an image, and how to make it the input.
_READ = {
    1: ('Image.open("crop.jpg").convert("L").resize({size})', "np.asarray(image)[None, ..., None]"),
    3: ('Image.open("crop.jpg").convert("RGB").resize({size})', "np.asarray(image)[None]"),
    4: ('[band.resize({size}) for band in Image.open("crop.png").split()]', "np.dstack(image)[None]"),
}

_EXAMPLE = """\
```python
import json
import numpy as np
import onnxruntime
from PIL import Image
session = onnxruntime.InferenceSession("model.onnx")
varieties = json.loads(session.get_modelmeta().custom_metadata_map["varieties"])
image = {image}
probabilities = session.run(None, {{"{input}": {pixels}}})[0][0]
for label in probabilities.argsort()[::-1][:5]:
    print(f"{{probabilities[label]:.1%}} {{varieties[label]}}")
```"""


def model_card(
    dataset: Dataset,
    metadata: ModelMetadata,
    metrics: dict[str, Any],
    confidence: Confidence,
    calibrated: np.ndarray,
    measured: Sequence[Measured],
) -> str:
    """The text of the card of the model that `metadata` (model.json) describes.

    `metrics` is what `evaluate` wrote, `calibrated` the probabilities [N, classes] of the test images.
    """
    sections = {
        "What it is for": _purpose(metadata),
        "How to use it": _use(metadata),
        "Data": _data(dataset),
        "How it was trained": _training(metadata),
        "How good it is": _scores(metrics),
        "The files": _files(measured),
        "Calibration": _calibration(metrics, confidence),
        "Limits": _limits(metadata, metrics),
        "Classes": _classes(dataset, calibrated),
    }
    title = f"# {metadata.dataset} / {metadata.recipe}"
    return "\n\n".join([title, *(f"## {name}\n\n{text}" for name, text in sections.items())]) + "\n"


def _purpose(metadata: ModelMetadata) -> str:
    text = (
        f"A network (`{metadata.network}`) that predicts which of {len(metadata.varieties)} classes a "
        "image shows, with probabilities: for sorting, searching and checking images like those it was "
        "trained on."
    )
    if any(metadata.species):
        text += (
            " The classes are varieties of gemstones. No image shows whether a stone is natural, treated, "
            "synthetic or glass, or what it is worth: that takes a gemmologist's instruments."
        )
    return text


def _use(metadata: ModelMetadata) -> str:
    side, channels = metadata.image_size, metadata.settings.channels
    image, pixels = _READ[channels]
    colours = {1: "grey", 3: "RGB", 4: "RGB and a fourth band"}[channels]
    return (
        _EXAMPLE.format(image=image.format(size=(side, side)), pixels=pixels, input=INPUT)
        + f"""

* Input `{INPUT}`: uint8 [N, {side}, {side}, {channels}], {colours}, 0 to 255, any N: the square of the image
  that shows the object, cropped like the training images and resized to {side} pixels. All other steps are
  part of the graph.
* Output `{OUTPUT}`: float32 [N, {len(metadata.varieties)}], in the order of `varieties`.
* Metadata: `dataset`, `dataset_version`, `recipe`, `network`; as JSON `image_size`, `channels`,
  `temperature`, `acceptance_threshold`, `varieties` and `species` (null where open)."""
    )


def _data(dataset: Dataset) -> str:
    rows = [
        (split.name, f"{len(set(split.sha256s)):,}", f"{len(set(split.groups)):,}", f"{len(split):,}")
        for split in dataset.splits.values()
    ]
    return (
        f"Dataset `{dataset.name}`, version `{dataset.version}`. A group, images of one product or near "
        "copies, is in one split only; images are source images in one or more orientations.\n\n"
        + markdown_table(("split", "source images", "groups", "images"), rows)
    )


def _training(metadata: ModelMetadata) -> str:
    settings = metadata.settings
    stages = "; ".join(
        f"{ended.epochs} epochs of {stage.train} at a learning rate of {stage.learning_rate:g}"
        for stage, ended in zip(settings.stages, metadata.stages, strict=True)
    )
    changes = ", ".join(
        name if value is True else f"{name} {value:g}"
        for name, value in vars(settings.augmentation).items()
        if value
    )
    views, bins = settings.tta_views, settings.colour_bins
    facts = {
        "recipe": settings.description,
        "source": settings.source,
        "published result": settings.published,
        "parameters": f"{metadata.parameters:,}",
        "initial weights": Path(settings.weights).name,
        "images": f"{metadata.image_size} pixels, {settings.channels} channels",
        "colour expert": f"a histogram of {bins} bins a channel" if bins else "",
        "stages": stages,
        "classifier": settings.classifier,
        "optimiser": f"{settings.optimiser}, batches of {settings.batch_size}" if stages else "",
        "augmentation": changes if stages else "",
        "selected": f"epoch {metadata.best_epoch} of {metadata.epochs}, by {settings.monitor}"
        if stages
        else "",
        "seed": metadata.seed,
        "probabilities": f"the mean over {views} orientations of an image" if views > 1 else "",
    }
    return "\n".join(f"* {name}: {fact}" for name, fact in facts.items() if fact not in ("", None))


def _scores(metrics: dict[str, Any]) -> str:
    names = {
        **{f"top{k}": f"top-{k}" for k in TOP},
        "species_top1": "top-1 of the species",
        "macro_f1": "macro F1",
    }
    intervals, baselines = metrics["intervals"], metrics["baselines"]
    rows = [(name, f"{metrics[key]:.3f}", _range(intervals[key])) for key, name in names.items()]
    rows += [
        ("a random forest on colour and texture", f"{baselines['forest']:.3f}", _range(intervals["forest"])),
        ("always the most frequent class", f"{baselines['majority']:.3f}", ""),
    ]
    return (
        f"On {metrics['test_images']:,} test images of {metrics['test_groups']:,} groups that it has never "
        "seen; 95 % intervals by bootstrap over groups.\n\n"
        + markdown_table(("score", "value", "95 % interval"), rows)
    )


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
    return (
        markdown_table(columns, rows)
        + "\n\nMeasured on the test images. Milliseconds are the median of one image at a time, measured in "
        f"turns, on: {processor()}. The scales of the int8 file come from training images; its weights have "
        "seven bits, so that its outputs are the same on processors with and without VNNI instructions."
    )


def _calibration(metrics: dict[str, Any], confidence: Confidence) -> str:
    values = metrics["calibration"]
    text = (
        f"The temperature, {confidence.temperature:.3f}, was fitted on the validation split and is inside "
        f"the files. On the test images the expected calibration error is {values['ece']:.3f} with it and "
        f"{values['ece_before']:.3f} without (15 bins of equal mass)."
    )
    if confidence.threshold is None:
        return f"{text} No probability threshold was accurate enough on the validation images."
    return (
        f"{text} At a probability of {confidence.threshold:.2f} (`acceptance_threshold`) or more, 95 % or "
        "more of its predictions on validation images were correct; below, treat them as guesses."
    )


def _limits(metadata: ModelMetadata, metrics: dict[str, Any]) -> str:
    limits = [
        f"It knows {len(metadata.varieties)} classes and predicts one of them for any image.",
        "On images that differ from the training images (light, camera, background, crop) it may be less "
        "accurate than on the test images, and too confident.",
        f"It was tested on {metrics['test_groups']:,} groups of images; the intervals show what that proves.",
    ]
    if metrics["blind_spots"]:
        limits.append(f"It recognises fewer than 20 % of: {', '.join(metrics['blind_spots'])}.")
    if metrics["baselines"]["below_forest"]:
        limits.append("A random forest on colour and texture does better on the same images.")
    return "\n".join(f"* {limit}" for limit in limits)


def _classes(dataset: Dataset, calibrated: np.ndarray) -> str:
    test, train = dataset.splits["test"], dataset.splits["train"]
    sources = np.bincount(train.labels[train.one_row_per_source()].numpy(), minlength=len(dataset.varieties))
    found = per_class(test.labels.numpy(), calibrated, test.groups)
    rows = [
        (
            variety,
            species or "",
            f"{seen:,}",
            f"{row['images']:,}",
            f"{row['recall']:.3f}",
            _range((row["recall_low"], row["recall_high"])),
        )
        for variety, species, seen, row in zip(
            dataset.varieties, dataset.species, sources, found, strict=True
        )
    ]
    return markdown_table(
        ("class", "species", "training source images", "test images", "recognised", "95 % interval"), rows
    )


def _range(ends: Sequence[float]) -> str:
    return f"{ends[0]:.3f} to {ends[1]:.3f}"
