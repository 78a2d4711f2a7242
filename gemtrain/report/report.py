"""`gemtrain report`: one self-contained HTML page about the models of a dataset."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from gemkit.errors import UserError
from gemkit.html import counted
from gemkit.tables import write_text
from gemtrain.evaluation.metrics import TOP
from gemtrain.evaluation.outputs import METRICS, PLOTS, write_csv
from gemtrain.report.compare import Comparison, compare
from gemtrain.report.glossary import glossary_section
from gemtrain.report.model_figures import draw_datasets, draw_models
from gemtrain.report.model_section import model_section, weights_words
from gemtrain.report.page import Html, difference, figure, fill, page, percent, table
from gemtrain.report.results import Result, evaluated_datasets, read_results

REPORTS = Path("reports")

_TO_BEST = (
    " “To the best” is top-1 minus that of the best model, on the same images: if its interval does not "
    "contain 0, the difference is more than chance."
)


def report(datasets: Sequence[str] = ()) -> list[str]:
    """Write reports/training-<dataset>.html for the datasets (all that have models); returns summary lines.

    Also plots/<dataset>/models.png and models.csv, and against-<other>.png for each pair of datasets. The
    same results give the same bytes. Raises UserError when nothing was evaluated.
    """
    evaluated = evaluated_datasets()
    for name in datasets or evaluated:
        if name not in evaluated:
            raise UserError(
                f"No model of the dataset '{name}' has been evaluated; "
                f"run 'gemtrain evaluate --dataset {name} --recipe RECIPE' first."
            )
    if not evaluated:
        raise UserError(
            f"'{METRICS}' contains no evaluated model; run 'gemtrain evaluate' (dvc repro) first."
        )
    results = {name: read_results(name) for name in evaluated}
    lines = []
    for name in datasets or evaluated:
        lines += _report(name, results)
    return lines


def _report(name: str, results: dict[str, list[Result]]) -> list[str]:
    current, outdated = _of_one_version(results[name])
    rows = [_row(result, current[0]) for result in current]
    write_csv(PLOTS / name / "models.csv", rows)
    draw_models(PLOTS / name / "models.png", current)
    others = [
        _datasets(name, pair, {key: _of_one_version(results[key])[0] for key in pair})
        for pair in combinations(sorted(results), 2)
        if name in pair
    ]
    sections = [
        _head(name, current),
        Html("<main>\n"),
        _models(name, current, rows, outdated),
        glossary_section(current[0].has_species),
        [model_section(number, result) for number, result in enumerate(current)],
        fill(
            '<section id="datasets"><h2>The same recipes on other datasets</h2>\n{content}</section>\n',
            content=[other for other in others if other]
            or Html("<p>No other dataset has a model of the same recipe and test images in common.</p>\n"),
        ),
        Html("</main>\n"),
    ]
    path = REPORTS / f"training-{name}.html"
    write_text(path, page(f"Training report: {name}", fill("{sections}", sections=sections)))
    return [*_lines(name, current, rows), str(path)]


def _of_one_version(results: list[Result]) -> tuple[list[Result], list[Result]]:
    """The results on the dataset version that most models were evaluated on, and the others."""
    versions = Counter(result.metrics["dataset"]["version"] for result in results)
    version = min(versions, key=lambda name: (-versions[name], name))
    current = [result for result in results if result.metrics["dataset"]["version"] == version]
    return current, [result for result in results if result not in current]


def _row(result: Result, best: Result) -> dict[str, Any]:
    """A row of models.csv: the numbers of a model and its paired difference to the best one."""
    metrics = result.metrics
    row: dict[str, Any] = {"recipe": result.recipe, **metrics["model"]}
    for key in (*(f"top{k}" for k in TOP), "species_top1", "macro_f1"):
        low, high = metrics["intervals"][key]
        row |= {key: metrics[key], f"{key}_low": low, f"{key}_high": high}
    row |= {"ece": metrics["calibration"]["ece"], "below_forest": metrics["baselines"]["below_forest"]}
    compared = None if result is best else compare(best.predictions, result.predictions)
    score = compared.scores[0] if compared else None
    ends = score.difference_interval if score else (None, None)
    return row | {
        "to_best": score.difference if score else None,
        "to_best_low": ends[0],
        "to_best_high": ends[1],
    }


def _models_title(results: list[Result]) -> str:
    return "The models side by side" if len(results) > 1 else "The model and the baselines"


def _head(name: str, results: list[Result]) -> Html:
    metrics, best, several = results[0].metrics, results[0], len(results) > 1
    sources = sum(int(row["training_photos"]) for row in best.table("per_class.csv"))
    tiles = [
        (f"{metrics['classes']:,}", "classes to distinguish"),
        (f"{sources:,}", "training source images"),
        (f"{metrics['test_images']:,}", f"test images of {counted(metrics['test_groups'], 'group')}"),
        (percent(metrics["top1"]), f"of them classified correctly by the {'best ' if several else ''}model"),
        (percent(metrics["baselines"]["forest"]), "by a random forest on colour and texture"),
        (percent(metrics["baselines"]["majority"]), "by always predicting the most common class"),
    ]
    entries = [
        ("models", _models_title(results)),
        ("reading", "How to read the numbers"),
        *((f"model-{number}", f"Model {result.recipe}") for number, result in enumerate(results)),
        ("datasets", "The same recipes on other datasets"),
    ]
    return fill(
        "<header>\n<h1>How well {models} {classes} apart</h1>\n"
        '<p class="lead">{subject} the dataset {name}, version {version}. {each} was trained on the training '
        "images, selected on the validation images, and is evaluated here on the test images, none of whose "
        "groups it has seen.{best}</p>\n"
        '<dl class="tiles">{tiles}</dl>\n<nav aria-label="Contents"><ol>{entries}</ol></nav>\n</header>\n',
        models=f"{len(results)} models tell" if several else f"{best.recipe} tells",
        classes=counted(metrics["classes"], "class", "classes"),
        subject="This page is about models trained on"
        if several
        else "This page is about a model trained on",
        each="Each" if several else "It",
        name=name,
        version=metrics["dataset"]["version"],
        best=f" The best model is {best.recipe}." if several else "",
        tiles=[
            fill("<div><dd>{value}</dd><dt>{label}</dt></div>\n", value=value, label=label)
            for value, label in tiles
        ],
        entries=[
            fill('<li><a href="#{anchor}">{title}</a></li>\n', anchor=anchor, title=title)
            for anchor, title in entries
        ],
    )


def _models(name: str, results: list[Result], rows: list[dict[str, Any]], outdated: list[Result]) -> Html:
    best, several = results[0], len(results) > 1
    header = ["Model", "Weights", "Top-1", "Top-3", "Top-5"]
    header += ["To the best"] * several + ["Species"] * best.has_species + ["Macro F1", "Cal. error"]
    rest = ["species_top1", "macro_f1"] if best.has_species else ["macro_f1"]
    shown = [
        [
            fill('<a href="#model-{number}">{recipe}</a>', number=number, recipe=row["recipe"]),
            weights_words(row["weights"]),
            *(percent(row[key], (row[f"{key}_low"], row[f"{key}_high"])) for key in ("top1", "top3", "top5")),
            *([_to_best(row)] if several else []),
            *(percent(row[key], (row[f"{key}_low"], row[f"{key}_high"])) for key in rest),
            f"{row['ece']:.3f}",
        ]
        for number, row in enumerate(rows)
    ]
    baselines, empty = best.metrics["baselines"], [""] * (len(header) - 3)
    shown += [
        ["random forest", "", percent(baselines["forest"], best.metrics["intervals"]["forest"]), *empty],
        ["majority class", "", percent(baselines["majority"]), *empty],
    ]
    below = [row["recipe"] for row in rows if row["below_forest"]]
    called = fill(
        '<p class="called-out"><b>Below the random forest:</b> {names}. Such a model is not useful.</p>\n',
        names=", ".join(below),
    )
    old = fill(
        '<p class="missing">Evaluated on another version of the dataset and left out: {names}. '
        "Train and evaluate again (dvc repro).</p>\n",
        names=", ".join(result.recipe for result in outdated),
    )
    return fill(
        '<section id="models"><h2>{title}</h2>\n<p>Measured on the {measured}. Next to each share is its '
        "95&nbsp;% interval (bootstrap by group).{to_best}</p>\n{called}{old}{table}{figure}</section>\n",
        title=_models_title(results),
        measured=best.measured,
        to_best=Html(_TO_BEST if several else ""),
        called=called if below else "",
        old=old if outdated else "",
        table=table(header, shown, range(2, len(header))),
        figure=figure(
            PLOTS / name / "models.png",
            "Top-1, top-3 and top-5 with intervals",
            "Points with their 95 % intervals; the dashed line and its band are the random forest's top-1.",
        ),
    )


def _to_best(row: dict[str, Any]) -> Html | str:
    if row["to_best"] is None:
        return ""
    return difference(row["to_best"], (row["to_best_low"], row["to_best_high"]))


def _datasets(name: str, pair: tuple[str, str], results: dict[str, list[Result]]) -> Html:
    """The comparison of two datasets, empty if they have nothing in common."""
    first, second = ({result.recipe: result for result in results[name]} for name in pair)
    compared: list[tuple[str, Comparison]] = []
    for recipe in sorted(set(first) & set(second)):
        comparison = compare(first[recipe].predictions, second[recipe].predictions)
        if comparison:
            compared.append((recipe, comparison))
    if not compared:
        return Html("")
    path = PLOTS / name / f"against-{pair[1] if name == pair[0] else pair[0]}.png"
    draw_datasets(path, pair, compared)
    rows = [
        [
            recipe if not number else "",
            score.name,
            percent(score.first, score.first_interval),
            percent(score.second, score.second_interval),
            difference(score.difference, score.difference_interval),
        ]
        for recipe, comparison in compared
        for number, score in enumerate(comparison.scores)
    ]
    measured = compared[0][1]
    versions = " and ".join(f"{key} version {results[key][0].metrics['dataset']['version']}" for key in pair)
    return fill(
        "<h3>{second} against {first}</h3>\n<p>On the {images} of {groups} in the {classes} that both test "
        "splits have ({versions}). Each model chooses only among these classes, so that both answer the "
        "same question; differences are paired, with 95&nbsp;% intervals by bootstrap over the groups.</p>\n"
        "{table}{figure}",
        first=pair[0],
        second=pair[1],
        images=counted(measured.images, "image"),
        groups=counted(measured.groups, "group"),
        classes=counted(measured.classes, "class", "classes"),
        versions=versions,
        table=table(["Recipe", "Score", pair[0], pair[1], "Difference"], rows, range(2, 5)),
        figure=figure(path, f"Top-1, top-3 and top-5 of each recipe trained on {pair[0]} and on {pair[1]}"),
    )


def _lines(name: str, results: list[Result], rows: list[dict[str, Any]]) -> list[str]:
    """The table of the models for a terminal."""
    width = max(len(row["recipe"]) for row in rows)
    lines = [f"{results[0].measured}; [95 % intervals, bootstrap by group]"]
    for row in rows:
        scores = "  ".join(
            f"top-{k} {row[f'top{k}']:.3f} [{row[f'top{k}_low']:.3f}, {row[f'top{k}_high']:.3f}]" for k in TOP
        )
        below = "  below the random-forest baseline" if row["below_forest"] else ""
        lines.append(f"{row['recipe']:{width}}  {scores}  {weights_words(row['weights'])}{below}")
    metrics = results[0].metrics
    low, high = metrics["intervals"]["forest"]
    lines.append(
        f"{'random forest':{width}}  top-1 {metrics['baselines']['forest']:.3f} [{low:.3f}, {high:.3f}]"
    )
    lines.append(f"{'majority':{width}}  top-1 {metrics['baselines']['majority']:.3f}")
    return lines
