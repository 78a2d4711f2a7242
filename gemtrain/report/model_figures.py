"""Figures that compare several models, written to files."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from gemtrain.evaluation.drawing import BLUE, GREY, ORANGE, plain, save
from gemtrain.evaluation.metrics import TOP
from gemtrain.report.compare import Comparison
from gemtrain.report.results import Result

_COLOURS = dict(zip(TOP, (BLUE, "#5b9bd5", "#a9c9e8"), strict=True))


def draw_models(path: Path, results: Sequence[Result]) -> None:
    """Top-1, top-3 and top-5 of the models of one dataset with their 95 % intervals, best first.

    Lines show the random forest's top-1, with its interval, and the majority class.
    """
    figure = Figure(figsize=(9, 1.9 + 0.5 * len(results)), layout="constrained")
    axes = figure.subplots()
    best = results[0].metrics
    axes.axvspan(*best.forest.interval, color=ORANGE, alpha=0.12, linewidth=0)
    axes.axvline(best.forest.value, color=ORANGE, linestyle="--", linewidth=1, label="random forest, top-1")
    axes.axvline(best.baselines.majority, color=GREY, linestyle=":", linewidth=1, label="majority class")
    for row, result in enumerate(results):
        for offset, k in zip((-0.22, 0, 0.22), TOP, strict=True):
            estimate = result.metrics.top[k]
            axes.plot(estimate.interval, [row + offset] * 2, color=_COLOURS[k], alpha=0.6)
            axes.plot(
                estimate.value, row + offset, "o",
                color=_COLOURS[k], label="" if row else f"top-{k}",
            )  # fmt: skip
    axes.set_yticks(range(len(results)), [plain(result.recipe) for result in results])
    axes.set_ylim(len(results) - 0.5, -0.5)
    _share_axis(axes)
    axes.set_title(plain(results[0].measured), fontsize=10)
    figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    save(figure, path)


def draw_datasets(path: Path, names: tuple[str, str], compared: Sequence[tuple[str, Comparison]]) -> None:
    """Top-1, top-3 and top-5 of each recipe trained on two datasets, on what both test splits share."""
    figure = Figure(figsize=(10, 1.8 + 0.45 * len(compared)), layout="constrained")
    for axes, number in zip(figure.subplots(1, len(TOP), sharey=True), range(len(TOP)), strict=True):
        for row, (_, comparison) in enumerate(compared):
            score = comparison.scores[number]
            models = (
                (score.first, GREY, names[0]),
                (score.second, BLUE, names[1]),
            )
            for offset, (estimate, colour, name) in zip((-0.15, 0.15), models, strict=True):
                axes.plot(estimate.interval, [row + offset] * 2, color=colour, alpha=0.6)
                axes.plot(estimate.value, row + offset, "o", color=colour, label="" if row else plain(name))
        _share_axis(axes)
        axes.set_title(f"top-{TOP[number]}", fontsize=10)
    figure.axes[0].set_yticks(range(len(compared)), [plain(recipe) for recipe, _ in compared])
    figure.axes[0].set_ylim(len(compared) - 0.5, -0.5)
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False
    )
    save(figure, path)


def _share_axis(axes: Axes) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(axis="x", alpha=0.25)
