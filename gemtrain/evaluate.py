"""`gemtrain evaluate`: what a model is worth on photos of stones that it never saw."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from gemkit.errors import UserError
from gemkit.progress import Progress
from gemkit.tables import write_table, write_text
from gemtrain.baselines import colour_forest, majority
from gemtrain.data import Dataset, Split, batch_of
from gemtrain.device import autocast
from gemtrain.models import Classifier
from gemtrain.scores import confused_classes, macro, per_class, top_k
from gemtrain.store import model_folder, read_history, read_model
from gemtrain.tables import PREDICTIONS

METRICS = Path("metrics")
PLOTS = Path("plots")
PREDICTIONS_FOLDER = Path("data/predictions")

_BATCH = 64


def evaluate(dataset_name: str, recipe_name: str, device: torch.device) -> list[str]:
    """Write metrics, predictions and plots of a model on the test split; lines that sum them up.

    Raises UserError when the dataset leaks, or the model is missing or of other classes.
    """
    dataset = Dataset(dataset_name)
    dataset.check_groups()
    model, about = read_model(dataset_name, recipe_name)
    if about["varieties"] != dataset.varieties:
        raise UserError(
            f"The model in '{model_folder(dataset_name, recipe_name)}' knows other classes than the dataset "
            f"'{dataset_name}' has; train it again."
        )
    test = dataset.splits["test"]
    probabilities, embeddings = predict(model, test.pixels(about["image_size"]), device)
    labels = test.labels.numpy()
    write_table(
        PREDICTIONS_FOLDER / dataset_name / f"{recipe_name}.parquet",
        _predictions(test, probabilities, embeddings),
    )
    table = per_class(labels, probabilities)
    metrics = {
        **{f"top{k}": top_k(labels, probabilities, k) for k in (1, 3, 5)},
        **macro(table),
        "test_images": len(test),
        "test_groups": len(set(test.groups)),
        "classes": len(dataset.varieties),
        "baselines": {"majority": majority(dataset), "colour_forest": colour_forest(dataset, about["seed"])},
    }
    folder = PLOTS / dataset_name / recipe_name
    confused = confused_classes(labels, probabilities)
    _write_tables(folder, dataset.varieties, labels, probabilities, table, confused)
    history = read_history(model_folder(dataset_name, recipe_name) / "history.csv")
    write_csv(
        folder / "curves.csv",
        [
            {
                "epoch": int(row["epoch"]),
                "stage": int(row["stage"]),
                "accuracy": row["validation_accuracy"],
                "loss": row["validation_loss"],
                "train_accuracy": row["train_accuracy"],
                "train_loss": row["train_loss"],
            }
            for row in history
        ],
    )
    from gemtrain.figures import draw_confusion, draw_curves

    title = f"{dataset_name} / {recipe_name}"
    draw_curves(folder / "curves.png", history, title)
    draw_confusion(folder / "confusion.png", labels, probabilities.argmax(1), dataset.varieties, title)
    # Last, so that a metrics file means that everything else is there.
    rounded = _rounded(metrics)
    write_text(METRICS / dataset_name / f"{recipe_name}.json", json.dumps(rounded, indent=2) + "\n")
    return _summary(title, rounded, confused, dataset.varieties)


@torch.inference_mode()
def predict(model: Classifier, images: Tensor, device: torch.device) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [N, classes] and embeddings [N, features] of uint8 images [N, H, W, 3], both float32."""
    model.to(device).eval()
    probabilities, embeddings = [], []
    with Progress("evaluate", len(images)) as progress:
        for rows in torch.arange(len(images)).split(_BATCH):
            with autocast(device):
                embedding = model.embed(batch_of(images, rows).to(device))
                logits = model.head(embedding)
            probabilities.append(logits.float().softmax(1).cpu())
            embeddings.append(embedding.float().cpu())
            progress.advance(len(rows))
    return torch.cat(probabilities).numpy(), torch.cat(embeddings).numpy()


def _predictions(test: Split, probabilities: np.ndarray, embeddings: np.ndarray) -> pa.Table:
    table = pa.table(
        {
            "sha256": test.sha256s,
            "group_id": test.groups,
            "label": test.labels.tolist(),
            "probabilities": list(probabilities),
            "embedding": list(embeddings),
        },
        schema=PREDICTIONS,
    )
    return table.sort_by("sha256")


def _write_tables(
    folder: Path,
    varieties: list[str],
    labels: np.ndarray,
    probabilities: np.ndarray,
    table: list[dict[str, Any]],
    confused: list[dict[str, Any]],
) -> None:
    pairs = zip(labels.tolist(), probabilities.argmax(1).tolist(), strict=True)
    write_csv(
        folder / "confusion.csv",
        [{"actual": varieties[actual], "predicted": varieties[predicted]} for actual, predicted in pairs],
    )
    write_csv(
        folder / "per_class.csv",
        [{"variety": name, **row} for name, row in zip(varieties, table, strict=True)],
    )
    named = [
        {
            key: varieties[value] if key in ("variety", "first", "second") and value is not None else value
            for key, value in row.items()
        }
        for row in confused
    ]
    columns = ["variety", "images", "wrong", "first", "first_share", "second", "second_share"]
    write_csv(folder / "confused.csv", named, columns)


def write_csv(path: Path, rows: list[dict[str, Any]], columns: list[str] | None = None) -> None:
    """Write rows as CSV, numbers with four decimals, None as nothing."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns or list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(_rounded(rows))
    write_text(path, text.getvalue())


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value


def _summary(
    title: str, metrics: dict[str, Any], confused: list[dict[str, Any]], varieties: list[str]
) -> list[str]:
    baselines = metrics["baselines"]
    lines = [
        f"{title}: top-1 {metrics['top1']:.3f}, top-3 {metrics['top3']:.3f}, top-5 {metrics['top5']:.3f}",
        f"on {metrics['test_images']} test photos of {metrics['test_groups']} groups, "
        f"{metrics['classes']} classes",
        f"baselines: majority {baselines['majority']:.3f}, colour forest {baselines['colour_forest']:.3f}",
    ]
    for row in confused[:3]:
        taken = f"{varieties[row['first']]} ({row['first_share']:.0%})"
        if row["second"] is not None:
            taken += f" and {varieties[row['second']]} ({row['second_share']:.0%})"
        lines.append(f"{varieties[row['variety']]}: {row['wrong']:.0%} of {row['images']} taken for {taken}")
    return lines
