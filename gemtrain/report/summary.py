"""An evaluation as lines for a terminal."""

from gemtrain.evaluation.records import CalibrationScores, ConfusedClass, Evaluation


def summary(evaluation: Evaluation) -> list[str]:
    """The lines; the first one has top-1, -3 and -5."""
    metrics = evaluation.metrics
    scores = ", ".join(f"top-{k} {estimate}" for k, estimate in metrics.top.items())
    lines = [
        f"{metrics.dataset.name} / {evaluation.recipe}: {scores}",
        f"on the test split of {metrics.dataset.name}, version {metrics.dataset.version}: "
        f"{metrics.test_images} images of {metrics.test_groups} groups, {metrics.classes} classes; "
        "[95 % intervals, bootstrap by group]",
        f"{metrics.species} species: top-1 {metrics.top1_of_species}; macro F1 {metrics.f1}",
        _calibration(metrics.calibration),
        f"baselines: majority {metrics.baselines.majority:.3f}, random forest {metrics.forest}",
    ]
    if metrics.baselines.below_forest:
        lines.append(
            f"warning: below the random-forest baseline on colour and texture, by {metrics.under_forest}"
        )
    if metrics.blind_spots:
        lines.append(f"blind spots, fewer than 20 % recognised: {', '.join(metrics.blind_spots)}")
    return lines + [_confused_line(row) for row in evaluation.confused[:3]]


def _calibration(scores: CalibrationScores) -> str:
    if not scores.is_fitted:
        return f"calibration error {scores.ece:.3f}; too few validation errors to fit a temperature"
    before = f"calibration error {scores.ece_before:.3f}"
    return f"{before}, {scores.ece:.3f} with temperature {scores.temperature:.2f}"


def _confused_line(row: ConfusedClass) -> str:
    confused_with = f"{row.first} ({row.first_share:.0%})"
    if row.second is not None:
        confused_with += f" and {row.second} ({row.second_share:.0%})"
    return f"{row.variety}: {row.wrong:.0%} of {row.images} confused with {confused_with}"
