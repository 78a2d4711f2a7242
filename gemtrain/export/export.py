"""`gemtrain export`: a trained model as self-contained ONNX files with a model card."""

import json
import tempfile
from pathlib import Path

import torch

from gemkit.arrays import Array
from gemkit.errors import UserError
from gemkit.progress import Progress
from gemkit.project import Project
from gemkit.tables import write_bytes, write_text
from gemtrain.data.dataset import Dataset, Split
from gemtrain.evaluation.predictions import evaluated_models
from gemtrain.evaluation.records import Metrics
from gemtrain.export.benchmark import PYTORCH, Measured, measure
from gemtrain.export.model_card import model_card
from gemtrain.export.onnx_graph import Calibrated, check_packages, open_session, run_session, to_int8, to_onnx
from gemtrain.model_metadata import ModelMetadata
from gemtrain.model_store import read_trained
from gemtrain.report.results import read_result
from gemtrain.scoring.model_outputs import predict_split

FLOAT, INT8, CARD = "model.onnx", "model.int8.onnx", "README.md"

#: Training images whose activations set the scales of the int8 file.
_SCALE_IMAGES = 256
#: The least share of test images on which the float file and PyTorch agree; one image may always differ.
_LEAST_AGREEMENT = 0.99
#: How much a score may differ on another processor, or by one image; more means another model was evaluated.
_TOLERANCE = 0.01


def export(project: Project, dataset: Dataset | str, recipe: str, folder: Path | None = None) -> list[str]:
    """Write both files and their card to `exports/<dataset>/<recipe>`, or `folder`; returns summary lines.

    Raises UserError when a package is missing, the folder cannot be written, the dataset leaks, the model is
    missing, from another version of the dataset or not evaluated, or the float file disagrees with PyTorch.
    """
    check_packages()
    dataset = Dataset(project, dataset) if isinstance(dataset, str) else dataset
    dataset.check_leaks()
    model, metadata = read_trained(project, dataset, recipe)
    metrics = _read_metrics(project, dataset, recipe)
    folder = folder or project.exports / dataset.name / recipe
    _check_writable(folder)
    train, test = dataset.splits["train"], dataset.splits["test"]
    probabilities, _ = predict_split(model, metadata.settings, test, torch.device("cpu"))
    _check_evaluated(metrics, test, probabilities, recipe)
    confidence = metadata.confidence
    calibrated = Calibrated(model, metadata.settings.tta_views, confidence.temperature).eval()
    shown = _pixels(train, metadata)[_spread(train)].numpy()
    with Progress("write ONNX", 2, "files") as progress:
        floating = to_onnx(calibrated, metadata.image_size, _properties(metadata))
        progress.advance()
        contents = {FLOAT: floating, INT8: to_int8(floating, shown)}
        progress.advance()
    images = _pixels(test, metadata)
    probabilities_of = {PYTORCH: confidence.calibrated(probabilities)}
    for name, content in contents.items():
        probabilities_of[name] = run_session(
            open_session(content, torch.get_num_threads()), images.numpy(), name
        )
    _check_agreement(probabilities_of[PYTORCH], probabilities_of[FLOAT], dataset.name)
    measured = measure(test, contents, probabilities_of, calibrated, images[:1])

    card = model_card(dataset, metadata, metrics, probabilities_of[PYTORCH], measured)
    (folder / CARD).unlink(missing_ok=True)  # written last: it marks the folder as complete
    for name, content in contents.items():
        write_bytes(folder / name, content)
    write_text(folder / CARD, card)
    title = f"{dataset.name} / {recipe}: {FLOAT}, {INT8} and their model card, {CARD}, are in '{folder}'"
    return [title, *(_line(row) for row in measured)]


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"The folder '{folder}' cannot be written ({error.strerror}); give another one with --out."
        ) from None


def _read_metrics(project: Project, dataset: Dataset, recipe: str) -> Metrics:
    """The results of `evaluate` for a model of this version of a dataset. Raises UserError."""
    if (dataset.name, recipe) in evaluated_models(project):
        result = read_result(project, dataset.name, recipe)
        if result.version == dataset.version:
            return result.metrics
    raise UserError(
        "The model card needs the model's scores; "
        f"run 'gemtrain evaluate --dataset {dataset.name} --recipe {recipe}' first."
    )


def _check_evaluated(metrics: Metrics, test: Split, probabilities: Array, recipe: str) -> None:
    top1 = float((probabilities.argmax(1) == test.labels.numpy()).mean())
    if abs(top1 - metrics.top1) > max(_TOLERANCE, 1.5 / len(test)):
        raise UserError(
            f"The metrics of {test.dataset}/{recipe} are those of another model: top-1 is "
            f"{metrics.top1:.3f} there, but {top1:.3f} now; "
            f"run 'gemtrain evaluate --dataset {test.dataset} --recipe {recipe}' again."
        )


def _check_agreement(expected: Array, found: Array, dataset: str) -> None:
    different = int((expected.argmax(1) != found.argmax(1)).sum())
    if different > max(1, (1 - _LEAST_AGREEMENT) * len(expected)):
        raise UserError(
            f"Nothing was written: on {different} of {len(expected)} test images of '{dataset}' the ONNX "
            "file and PyTorch predict different classes; install versions of torch, onnxscript and "
            "onnxruntime that were released around the same time."
        )


def _pixels(split: Split, metadata: ModelMetadata) -> torch.Tensor:
    return split.pixels(metadata.image_size, metadata.settings.channels)


def _spread(split: Split) -> torch.Tensor:
    """Rows of different source images, evenly spaced over a split."""
    rows = split.one_row_per_source()
    return rows[torch.linspace(0, len(rows) - 1, min(_SCALE_IMAGES, len(rows))).long()]


def _properties(metadata: ModelMetadata) -> dict[str, str]:
    """The metadata of the files: texts as they are, everything else as JSON."""
    values = {
        "image_size": metadata.image_size,
        "channels": metadata.settings.channels,
        "temperature": metadata.confidence.temperature,
        "acceptance_threshold": metadata.confidence.threshold,
        "varieties": metadata.varieties,
        "species": metadata.species,
    }
    return {
        "dataset": metadata.dataset,
        "dataset_version": metadata.dataset_version,
        "recipe": metadata.recipe,
        "network": metadata.network,
        **{key: json.dumps(value, ensure_ascii=False) for key, value in values.items()},
    }


def _line(row: Measured) -> str:
    parts = [f"top-1 {row.top1}"]
    if row.bytes is not None:
        parts.append(f"{row.loss} less than PyTorch, in agreement on {row.agreement} of the images")
    times = (f"{taken:.1f} on {threads}" for threads, taken in row.milliseconds.items())
    return f"{row.name}: {', '.join(parts)}; ms per image, by threads: {', '.join(times)}"
