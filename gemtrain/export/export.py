"""`gemtrain export`: a trained model as ONNX files that need nothing of this project, with a model card."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gemkit.errors import UserError
from gemkit.progress import Progress
from gemkit.tables import write_bytes, write_text
from gemtrain.data.dataset import Dataset, Split
from gemtrain.export.benchmark import PYTORCH, Measured, measure
from gemtrain.export.model_card import model_card
from gemtrain.export.onnx_graph import Calibrated, answers, check_packages, open_session, to_int8, to_onnx
from gemtrain.model_store import read_trained
from gemtrain.report.results import read_results
from gemtrain.scoring.model_outputs import predict_split
from gemtrain.scoring.selective_prediction import Confidence

EXPORTS = Path("exports")
FLOAT, INT8, CARD = "model.onnx", "model.int8.onnx", "README.md"

#: Training photos whose activations set the scales of the int8 file.
_SCALE_PHOTOS = 256
#: The least share of test photos on which the float file has PyTorch's first class; one may always differ.
_LEAST_AGREEMENT = 0.99
#: What another processor may change of a score, or one photo; more means that another model was evaluated.
_TOLERANCE = 0.01


def export(dataset_name: str, recipe: str, folder: Path | None = None) -> list[str]:
    """Write both files and their card to `exports/<dataset>/<recipe>`, or `folder`; lines that sum it up.

    Raises UserError when a package is missing, the folder cannot be written, the dataset leaks, the model is
    missing, of another version of the dataset or not evaluated, or the float file disagrees with PyTorch.
    """
    check_packages()
    dataset = Dataset(dataset_name)
    dataset.check_leaks()
    model, about = read_trained(dataset, recipe)
    metrics = _read_metrics(dataset, recipe)
    folder = folder or EXPORTS / dataset_name / recipe
    _check_writable(folder)
    train, test = dataset.splits["train"], dataset.splits["test"]
    probabilities, _ = predict_split(model, about, test, torch.device("cpu"))
    _check_evaluated(metrics, test, probabilities, recipe)
    confidence = Confidence(**about["confidence"])
    calibrated = Calibrated(model, about["settings"]["views"], confidence.temperature).eval()
    shown = _pixels(train, about)[_spread(train)].numpy()
    with Progress("write ONNX", 2, "files") as progress:
        floating = to_onnx(calibrated, about["image_size"], _properties(about, confidence))
        progress.advance()
        contents = {FLOAT: floating, INT8: to_int8(floating, shown)}
        progress.advance()
    images = _pixels(test, about)
    answered = {PYTORCH: confidence.calibrated(probabilities)}
    for name, content in contents.items():
        answered[name] = answers(open_session(content, torch.get_num_threads()), images.numpy(), name)
    _check_agreement(answered[PYTORCH], answered[FLOAT], dataset_name)
    measured = measure(test, contents, answered, calibrated, images[:1])

    card = model_card(dataset, about, metrics, confidence, answered[PYTORCH], measured)
    (folder / CARD).unlink(missing_ok=True)  # written last: with it the folder is of one export
    for name, content in contents.items():
        write_bytes(folder / name, content)
    write_text(folder / CARD, card)
    title = f"{dataset_name} / {recipe}: {FLOAT}, {INT8} and their model card, {CARD}, are in '{folder}'"
    return [title, *(_line(row) for row in measured)]


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"The folder '{folder}' cannot be written ({error.strerror}); name another one with --out."
        ) from None


def _read_metrics(dataset: Dataset, recipe: str) -> dict[str, Any]:
    """What `evaluate` found of a model of this version of a dataset. Raises UserError."""
    for result in read_results(dataset.name, recipe):
        if result.metrics["dataset"]["version"] == dataset.version:
            return result.metrics
    raise UserError(
        "The model card tells what the model is worth; "
        f"run 'gemtrain evaluate --dataset {dataset.name} --recipe {recipe}' first."
    )


def _check_evaluated(metrics: dict[str, Any], test: Split, probabilities: np.ndarray, recipe: str) -> None:
    top1 = float((probabilities.argmax(1) == test.labels.numpy()).mean())
    if abs(top1 - metrics["top1"]) > max(_TOLERANCE, 1.5 / len(test)):
        raise UserError(
            f"The metrics of {test.dataset}/{recipe} are of another model: top-1 is {metrics['top1']:.3f} "
            f"there and {top1:.3f} now; "
            f"run 'gemtrain evaluate --dataset {test.dataset} --recipe {recipe}' again."
        )


def _check_agreement(expected: np.ndarray, found: np.ndarray, dataset: str) -> None:
    different = int((expected.argmax(1) != found.argmax(1)).sum())
    if different > max(1, (1 - _LEAST_AGREEMENT) * len(expected)):
        raise UserError(
            f"Nothing was written: on {different} of {len(expected)} test photos of '{dataset}' the ONNX "
            "file has another first class than PyTorch; install versions of torch, onnxscript and "
            "onnxruntime of about one date."
        )


def _pixels(split: Split, about: dict[str, Any]) -> torch.Tensor:
    return split.pixels(about["image_size"], about["settings"]["channels"])


def _spread(split: Split) -> torch.Tensor:
    """Rows of photos from all over a split."""
    rows = split.one_row_a_photo()
    return rows[torch.linspace(0, len(rows) - 1, min(_SCALE_PHOTOS, len(rows))).long()]


def _properties(about: dict[str, Any], confidence: Confidence) -> dict[str, str]:
    """The metadata of the files: texts as they are, everything else as JSON."""
    texts = {key: about[key] for key in ("dataset", "dataset_version", "recipe", "network")}
    values = {
        "image_size": about["image_size"],
        "channels": about["settings"]["channels"],
        "temperature": confidence.temperature,
        "sure_from": confidence.threshold,
        "varieties": about["varieties"],
        "species": about["species"],
    }
    return texts | {key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}


def _line(row: Measured) -> str:
    parts = [f"top-1 {row.top1}"]
    if row.bytes is not None:
        parts.append(f"{row.loss} less than PyTorch, with its first class on {row.agreement} of the photos")
    times = (f"{taken:.1f} on {threads}" for threads, taken in row.milliseconds.items())
    return f"{row.name}: {', '.join(parts)}; ms a photo, by threads: {', '.join(times)}"
