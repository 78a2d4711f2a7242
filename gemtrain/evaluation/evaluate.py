"""`gemtrain evaluate`: evaluate a model on images of stones that it was not trained on."""

import json
from collections.abc import Sequence

import torch

from gemkit.arrays import Array, Bools, Ints
from gemkit.project import Project
from gemkit.stats.calibration import brier, calibration_error, log_loss
from gemkit.stats.confidence_intervals import GroupBootstrap, interval
from gemkit.tables import write_text
from gemtrain.data.dataset import Dataset
from gemtrain.device import choose_device
from gemtrain.evaluation.baselines import forest, majority
from gemtrain.evaluation.metrics import (
    TOP,
    blind_spots,
    confused_classes,
    macro,
    macro_intervals,
    per_class,
    ranks,
)
from gemtrain.evaluation.outputs import draw_figures, write_curves, write_predictions, write_tables
from gemtrain.evaluation.paths import metrics_path, plots_folder
from gemtrain.evaluation.records import (
    Acceptance,
    Baselines,
    CalibrationScores,
    ClassScores,
    EvaluatedSplit,
    Evaluation,
    Intervals,
    Metrics,
    ModelFacts,
)
from gemtrain.model_metadata import ModelMetadata
from gemtrain.model_store import read_history, read_trained
from gemtrain.recipe import Recipe
from gemtrain.scoring.model_outputs import predict_split
from gemtrain.scoring.selective_prediction import Confidence
from gemtrain.scoring.species import by_species


def evaluate(
    project: Project,
    dataset: Dataset | str,
    recipe: Recipe | str,
    device: torch.device | str | None = None,
) -> Evaluation:
    """Evaluate a model on the test split; writes its metrics, predictions and plots.

    `dataset` is a dataset or the name of one in the project, `recipe` that of the model or its name, `device`
    cpu or cuda; it is selected automatically when left out. Raises UserError when the dataset leaks, or the
    model is missing or from another version of the dataset.
    """
    name, device = recipe if isinstance(recipe, str) else recipe.name, choose_device(device)
    dataset = Dataset(project, dataset) if isinstance(dataset, str) else dataset
    dataset.check_leaks()
    model, metadata = read_trained(project, dataset, name)
    outputs = [
        (split, predict_split(model, metadata.settings, split, device))
        for split in (dataset.splits["validation"], dataset.splits["test"])
    ]
    write_predictions(project.predictions(dataset.name, name), outputs)
    test, (probabilities, _) = outputs[1]
    calibrated = metadata.confidence.calibrated(probabilities)
    labels = test.labels.numpy()
    table = per_class(labels, probabilities, test.groups)
    confused = confused_classes(labels, probabilities, dataset.varieties)
    metrics = _metrics(dataset, metadata, probabilities, calibrated, table).to_json()
    folder = plots_folder(project, dataset.name, name)
    write_tables(folder, dataset, probabilities, table, confused)
    history = read_history(project.model(dataset.name, name) / "history.csv")
    write_curves(folder, history)
    draw_figures(folder, dataset, metadata, history, probabilities, calibrated, table)
    # Written last: a metrics file marks the evaluation as complete.
    write_text(metrics_path(project, dataset.name, name), json.dumps(metrics, indent=2) + "\n")
    return Evaluation(name, Metrics.from_json(metrics), confused)


def _metrics(
    dataset: Dataset,
    metadata: ModelMetadata,
    probabilities: Array,
    calibrated: Array,
    table: Sequence[ClassScores],
) -> Metrics:
    test = dataset.splits["test"]
    labels, bootstrap = test.labels.numpy(), GroupBootstrap(test.groups)
    rank = ranks(labels, probabilities)
    hits = {k: rank < k for k in TOP}
    top = {k: float(values.mean()) for k, values in hits.items()}
    species, species_probabilities = by_species(labels, probabilities, dataset.varieties, dataset.species)
    species_hits = ranks(species, species_probabilities) < 1
    forest_hits = ranks(labels, forest(dataset, metadata.seed)) < 1
    forest_top1 = float(forest_hits.mean())
    macro_scores, macro_ends = macro(table), macro_intervals(labels, probabilities, bootstrap)
    return Metrics(
        dataset=EvaluatedSplit(dataset.name, dataset.version, test.name),
        model=_facts(metadata),
        top1=top[1],
        top3=top[3],
        top5=top[5],
        macro_precision=macro_scores.precision,
        macro_recall=macro_scores.recall,
        macro_f1=macro_scores.f1,
        species_top1=float(species_hits.mean()),
        test_images=len(test),
        test_groups=len(set(test.groups)),
        classes=len(dataset.varieties),
        species=species_probabilities.shape[1],
        calibration=_calibration(labels, probabilities, calibrated, metadata.confidence.temperature),
        confidence=_acceptance(metadata.confidence, calibrated, hits[1]),
        baselines=Baselines(
            majority=majority(dataset),
            forest=forest_top1,
            over_forest=top[1] - forest_top1,
            below_forest=top[1] < forest_top1,
        ),
        intervals=Intervals(
            top1=bootstrap.mean(hits[1]),
            top3=bootstrap.mean(hits[3]),
            top5=bootstrap.mean(hits[5]),
            species_top1=bootstrap.mean(species_hits),
            macro_precision=macro_ends.precision,
            macro_recall=macro_ends.recall,
            macro_f1=macro_ends.f1,
            forest=bootstrap.mean(forest_hits),
            over_forest=interval(bootstrap.means(hits[1]) - bootstrap.means(forest_hits)),
        ),
        blind_spots=tuple(dataset.varieties[label] for label in blind_spots(table)),
    )


def _facts(metadata: ModelMetadata) -> ModelFacts:
    with_colours = " and a colour expert" if metadata.settings.colour_bins else ""
    return ModelFacts(
        network=metadata.network + with_colours,
        weights=metadata.settings.weights,
        image_size=metadata.image_size,
        parameters=metadata.parameters,
    )


def _calibration(
    labels: Ints, probabilities: Array, calibrated: Array, temperature: float
) -> CalibrationScores:
    return CalibrationScores(
        temperature=temperature,
        ece=calibration_error(labels, calibrated),
        ece_before=calibration_error(labels, probabilities),
        nll=log_loss(labels, calibrated),
        nll_before=log_loss(labels, probabilities),
        brier=brier(labels, calibrated),
        brier_before=brier(labels, probabilities),
    )


def _acceptance(confidence: Confidence, calibrated: Array, correct: Bools) -> Acceptance:
    accepted = confidence.is_accepted(calibrated)
    return Acceptance(
        threshold=confidence.threshold,
        accepted=float(accepted.mean()),
        accuracy_of_accepted=float(correct[accepted].mean()) if accepted.any() else None,
    )
