"""`gemtrain evaluate`: evaluate a model on images of stones that it was not trained on."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from gemkit.stats.calibration import brier, calibration_error, log_loss
from gemkit.stats.confidence_intervals import GroupBootstrap, interval
from gemkit.tables import write_text
from gemtrain.data.dataset import Dataset
from gemtrain.evaluation.baselines import forest, majority
from gemtrain.evaluation.metrics import (
    TOP,
    blind_spots,
    by_species,
    confused_classes,
    macro,
    macro_intervals,
    per_class,
    ranks,
)
from gemtrain.evaluation.outputs import PLOTS, draw_figures, metrics_path, rounded, write_tables
from gemtrain.evaluation.predictions import predictions_path, write_predictions
from gemtrain.model_metadata import ModelMetadata
from gemtrain.model_store import model_folder, read_history, read_trained
from gemtrain.scoring.model_outputs import predict_split
from gemtrain.scoring.selective_prediction import Confidence


def evaluate(dataset_name: str, recipe_name: str, device: torch.device) -> list[str]:
    """Write metrics, predictions and plots of a model on the test split; returns summary lines.

    Raises UserError when the dataset leaks, or the model is missing or from another version of the dataset.
    """
    dataset = Dataset(dataset_name)
    dataset.check_leaks()
    model, metadata = read_trained(dataset, recipe_name)
    splits = []
    for name in ("validation", "test"):
        split = dataset.splits[name]
        splits.append((split, *predict_split(model, metadata.settings, split, device)))
    write_predictions(predictions_path(dataset_name, recipe_name), splits)
    _, (test, probabilities, _) = splits
    confidence = metadata.confidence
    labels = test.labels.numpy()
    table = per_class(labels, probabilities, test.groups)
    confused = confused_classes(labels, probabilities)
    metrics = rounded(_metrics(dataset, metadata, probabilities, confidence, table))
    folder = PLOTS / dataset_name / recipe_name
    write_tables(folder, dataset, probabilities, table, confused)
    history = read_history(model_folder(dataset_name, recipe_name) / "history.csv")
    draw_figures(
        folder, dataset, metadata, history, probabilities, confidence.calibrated(probabilities), table
    )
    # Written last: a metrics file marks the evaluation as complete.
    write_text(metrics_path(dataset_name, recipe_name), json.dumps(metrics, indent=2) + "\n")
    return _summary(f"{dataset_name} / {recipe_name}", metrics, confused, dataset.varieties)


def _metrics(
    dataset: Dataset,
    metadata: ModelMetadata,
    probabilities: np.ndarray,
    confidence: Confidence,
    table: list[dict[str, Any]],
) -> dict[str, Any]:
    """The content of the metrics file. Intervals are lists, which DVC leaves out of its tables."""
    test = dataset.splits["test"]
    labels, bootstrap = test.labels.numpy(), GroupBootstrap(test.groups)
    rank = ranks(labels, probabilities)
    hits = {f"top{k}": rank < k for k in TOP}
    species, species_probabilities = by_species(labels, probabilities, dataset.varieties, dataset.species)
    hits["species_top1"] = ranks(species, species_probabilities) < 1
    forest_hits = ranks(labels, forest(dataset, metadata.seed)) < 1
    over_forest = bootstrap.means(hits["top1"]) - bootstrap.means(forest_hits)
    shares = {key: float(values.mean()) for key, values in hits.items()}
    calibrated = confidence.calibrated(probabilities)
    accepted = confidence.is_accepted(calibrated)
    with_colours = " and a colour expert" if metadata.settings.colour_bins else ""
    return {
        "dataset": {"name": dataset.name, "version": dataset.version, "split": "test"},
        "model": {
            "network": metadata.network + with_colours,
            "weights": metadata.settings.weights,
            "image_size": metadata.image_size,
            "parameters": metadata.parameters,
        },
        **{f"top{k}": shares[f"top{k}"] for k in TOP},
        **macro(table),
        "species_top1": shares["species_top1"],
        "test_images": len(test),
        "test_groups": len(set(test.groups)),
        "classes": len(dataset.varieties),
        "species": species_probabilities.shape[1],
        "calibration": {
            "temperature": confidence.temperature,
            "ece": calibration_error(labels, calibrated),
            "ece_before": calibration_error(labels, probabilities),
            "nll": log_loss(labels, calibrated),
            "nll_before": log_loss(labels, probabilities),
            "brier": brier(labels, calibrated),
            "brier_before": brier(labels, probabilities),
        },
        "confidence": {
            "threshold": confidence.threshold,
            "accepted": float(accepted.mean()),
            "accuracy_of_accepted": float(hits["top1"][accepted].mean()) if accepted.any() else None,
        },
        "baselines": {
            "majority": majority(dataset),
            "forest": float(forest_hits.mean()),
            "over_forest": shares["top1"] - float(forest_hits.mean()),
            "below_forest": shares["top1"] < float(forest_hits.mean()),
        },
        "intervals": {
            **{key: bootstrap.mean(values) for key, values in hits.items()},
            **macro_intervals(labels, probabilities, bootstrap),
            "forest": bootstrap.mean(forest_hits),
            "over_forest": interval(over_forest),
        },
        "blind_spots": [dataset.varieties[label] for label in blind_spots(table)],
    }


def _summary(
    title: str, metrics: dict[str, Any], confused: list[dict[str, Any]], varieties: list[str]
) -> list[str]:
    """Summary lines; the first one has top-1, -3 and -5."""
    intervals, calibration, baselines = metrics["intervals"], metrics["calibration"], metrics["baselines"]
    scores = ", ".join(f"top-{k} {metrics[f'top{k}']:.3f} {_range(intervals[f'top{k}'])}" for k in TOP)
    lines = [
        f"{title}: {scores}",
        f"on the test split of {metrics['dataset']['name']}, version {metrics['dataset']['version']}: "
        f"{metrics['test_images']} images of {metrics['test_groups']} groups, {metrics['classes']} classes; "
        "[95 % intervals, bootstrap by group]",
        f"{metrics['species']} species: top-1 {metrics['species_top1']:.3f} "
        f"{_range(intervals['species_top1'])}; macro F1 {metrics['macro_f1']:.3f} "
        f"{_range(intervals['macro_f1'])}",
        f"calibration error {calibration['ece_before']:.3f}, {calibration['ece']:.3f} "
        f"with temperature {calibration['temperature']:.2f}",
        f"baselines: majority {baselines['majority']:.3f}, "
        f"random forest {baselines['forest']:.3f} {_range(intervals['forest'])}",
    ]
    if baselines["below_forest"]:
        lines.append(
            f"warning: below the random-forest baseline on colour and texture, by "
            f"{-baselines['over_forest']:.3f} {_range([-end for end in reversed(intervals['over_forest'])])}"
        )
    if metrics["blind_spots"]:
        lines.append(f"blind spots, fewer than 20 % recognised: {', '.join(metrics['blind_spots'])}")
    for row in confused[:3]:
        confused_with = f"{varieties[row['first']]} ({row['first_share']:.0%})"
        if row["second"] is not None:
            confused_with += f" and {varieties[row['second']]} ({row['second_share']:.0%})"
        lines.append(
            f"{varieties[row['variety']]}: {row['wrong']:.0%} of {row['images']} "
            f"confused with {confused_with}"
        )
    return lines


def _range(ends: Sequence[float]) -> str:
    return f"[{ends[0]:.3f}, {ends[1]:.3f}]"
