"""`gemtrain report`: one self-contained HTML page about the models of a dataset."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

from gemkit.errors import UserError, did_you_mean
from gemkit.html import render
from gemkit.project import Project
from gemkit.stats.confidence_intervals import Estimate
from gemkit.tables import write_text
from gemtrain.evaluation.csv_records import write_rows
from gemtrain.report.compare import Comparison, compare
from gemtrain.report.contents import DatasetPair, Model, ReportPage, embed, read_plots
from gemtrain.report.model_figures import draw_datasets, draw_models
from gemtrain.report.results import Result, evaluated_datasets, read_results

_PAGE = Path(__file__).with_name("page.html")


def report(project: Project, datasets: Sequence[str] = ()) -> list[str]:
    """Write reports/training-<dataset>.html for the datasets (all that have models); returns summary lines.

    Also plots/<dataset>/models.png and models.csv, and against-<other>.png for each pair of datasets. The
    same results give the same bytes. Raises UserError when nothing was evaluated.
    """
    evaluated = evaluated_datasets(project)
    for name in datasets or evaluated:
        if name not in evaluated:
            hint = did_you_mean(name, "datasets with evaluated models", evaluated)
            raise UserError(
                f"No model of the dataset '{name}' has been evaluated{hint}. "
                f"Run 'gemtrain evaluate --dataset {name} --recipe RECIPE' first."
            )
    if not evaluated:
        raise UserError(
            f"'{project.metrics}' contains no evaluated model; run 'gemtrain evaluate' (dvc repro) first."
        )
    results = {name: read_results(project, name) for name in evaluated}
    lines = []
    for name in datasets or evaluated:
        lines += _report(project, name, results)
    return lines


def _report(project: Project, name: str, results: dict[str, list[Result]]) -> list[str]:
    current, outdated = _of_one_version(results[name])
    models = [
        Model(
            result,
            result.read_classes(),
            result.read_confused(),
            read_plots(result.folder),
            _to_best(result, current[0]),
        )
        for result in current
    ]
    rows = [_row(model) for model in models]
    plots = project.plots / name
    write_rows(plots / "models.csv", list(rows[0]), rows)
    draw_models(plots / "models.png", current)
    pairs = [
        _pair(plots, pair, {key: _of_one_version(results[key])[0] for key in pair})
        for pair in combinations(sorted(results), 2)
        if name in pair
    ]
    page = ReportPage(
        dataset=name,
        models=models,
        outdated=[result.recipe for result in outdated],
        plot=embed(plots / "models.png"),
        pairs=[pair for pair in pairs if pair],
    )
    path = project.reports / f"training-{name}.html"
    write_text(path, render(_PAGE, page=page))
    return [*_lines(models), str(path)]


def _of_one_version(results: list[Result]) -> tuple[list[Result], list[Result]]:
    """The results on the dataset version that most models were evaluated on, and the others."""
    versions = Counter(result.version for result in results)
    version = min(versions, key=lambda name: (-versions[name], name))
    current = [result for result in results if result.version == version]
    return current, [result for result in results if result not in current]


def _to_best(result: Result, best: Result) -> Estimate | None:
    compared = None if result is best else compare(best.predictions, result.predictions)
    return compared.scores[0].difference if compared else None


def _row(model: Model) -> dict[str, object]:
    """A row of models.csv."""
    metrics = model.result.metrics
    estimates: dict[str, Estimate | None] = {
        **{f"top{k}": estimate for k, estimate in metrics.top.items()},
        "species_top1": metrics.top1_of_species,
        "macro_f1": metrics.f1,
    }
    return {
        "recipe": model.result.recipe,
        **asdict(metrics.model),
        **_with_ends(estimates),
        "ece": metrics.calibration.ece,
        "below_forest": metrics.baselines.below_forest,
        **_with_ends({"to_best": model.to_best}),
    }


def _with_ends(estimates: Mapping[str, Estimate | None]) -> dict[str, float | None]:
    """Columns of estimates and of the ends of their intervals."""
    columns: dict[str, float | None] = {}
    for name, estimate in estimates.items():
        low, high = estimate.interval if estimate else (None, None)
        columns |= {name: estimate.value if estimate else None, f"{name}_low": low, f"{name}_high": high}
    return columns


def _pair(plots: Path, pair: tuple[str, str], results: dict[str, list[Result]]) -> DatasetPair | None:
    """The comparison of two datasets, drawn in the folder of one of them; None without anything in common."""
    first, second = ({result.recipe: result for result in results[key]} for key in pair)
    compared: list[tuple[str, Comparison]] = []
    for recipe in sorted(set(first) & set(second)):
        comparison = compare(first[recipe].predictions, second[recipe].predictions)
        if comparison:
            compared.append((recipe, comparison))
    if not compared:
        return None
    other = pair[1] if plots.name == pair[0] else pair[0]
    path = plots / f"against-{other}.png"
    draw_datasets(path, pair, compared)
    versions = [results[key][0].version for key in pair]
    return DatasetPair(pair[0], versions[0], pair[1], versions[1], compared, embed(path))


def _lines(models: Sequence[Model]) -> list[str]:
    """The table of the models for a terminal."""
    width = max(len(model.result.recipe) for model in models)
    best = models[0].result
    lines = [f"{best.measured}; [95 % intervals, bootstrap by group]"]
    for model in models:
        result = model.result
        scores = "  ".join(f"top-{k} {estimate}" for k, estimate in result.metrics.top.items())
        below = "  below the random-forest baseline" if result.metrics.baselines.below_forest else ""
        lines.append(f"{result.recipe:{width}}  {scores}  {result.weights}{below}")
    lines.append(f"{'random forest':{width}}  top-1 {best.metrics.forest}")
    lines.append(f"{'majority':{width}}  top-1 {best.metrics.baselines.majority:.3f}")
    return lines
