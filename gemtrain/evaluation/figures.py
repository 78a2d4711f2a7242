"""Figures of one model, written to files."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from gemkit.arrays import Array, Ints
from gemkit.stats.calibration import calibration_error, reliability
from gemtrain.evaluation.drawing import BLUE, GREY, ORANGE, plain, save, words
from gemtrain.evaluation.metrics import confusion, similar_together
from gemtrain.evaluation.records import ClassScores
from gemtrain.model_metadata import EpochResult

#: With more classes than this, the cells of a confusion matrix are too small for numbers.
_MAX_NUMBERED = 30

#: Number of best, and of worst, classes in the figure of extremes.
_EXTREMES = 10


def draw_curves(path: Path, history: Sequence[EpochResult], best_epoch: int, title: str) -> None:
    """Accuracy and loss over the epochs; dashed at the start of a stage, with a dot at the selected epoch."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    epochs = [row.epoch for row in history]
    panels = (
        ("accuracy", [row.train_accuracy for row in history], [row.validation_accuracy for row in history]),
        ("loss", [row.train_loss for row in history], [row.validation_loss for row in history]),
    )
    for axes, (quantity, train, validation) in zip(figure.subplots(1, 2), panels, strict=True):
        axes.plot(epochs, train, color=GREY, label="training")
        axes.plot(epochs, validation, color=BLUE, label="validation")
        axes.plot(best_epoch, validation[best_epoch - 1], "o", color=BLUE, label="selected epoch")
        for before, after in pairwise(history):
            if before.stage != after.stage:
                change = (before.epoch + after.epoch) / 2
                axes.axvline(change, color="black", linestyle="--", linewidth=0.8)
                axes.annotate(
                    f" stage {after.stage} ",
                    (change, 0.02),
                    xycoords=("data", "axes fraction"),
                    horizontalalignment="right" if change > len(history) / 2 else "left",
                    fontsize=8,
                )
        axes.set(xlabel="epoch", ylabel=quantity)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
        if quantity == "accuracy":
            axes.set_ylim(0, 1.02)
        else:
            axes.set_ylim(bottom=0)
    figure.axes[1].legend(frameon=False)
    figure.suptitle(plain(title))
    save(figure, path)


def draw_confusion(path: Path, labels: Ints, predicted: Ints, varieties: list[str], title: str) -> None:
    """Confusion matrix, as shares of each true class (row), with classes that are confused side by side.

    Colours follow the square root, so that a confusion of a few per cent is visible.
    """
    count = len(varieties)
    matrix = confusion(labels, predicted, count)
    order = similar_together(matrix)
    images = matrix.sum(axis=1)[order]
    shares = matrix[np.ix_(order, order)] / np.maximum(images[:, None], 1)
    names = [words(varieties[label]) for label in order]
    many = count > _MAX_NUMBERED
    side = 2.5 + (0.16 if many else 0.42) * count
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    axes = figure.subplots()
    drawn = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1))
    size = 7 if many else 9
    axes.set_xticks(range(count), names, rotation=90, fontsize=size)
    axes.set_yticks(
        range(count), [f"{name} ({n})" for name, n in zip(names, images, strict=True)], fontsize=size
    )
    axes.set(xlabel="predicted", ylabel="actual (test images)", title=plain(f"{title}, % of each class"))
    if many:
        axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="black", alpha=0.06, linewidth=0.5)
        axes.tick_params(which="minor", length=0)
        figure.colorbar(drawn, ax=axes, shrink=0.4, format=PercentFormatter(1))
    else:
        for row, column in zip(*np.nonzero(shares), strict=True):
            share = shares[row, column]
            colour = "white" if share > 0.35 else "black"
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=colour, fontsize=8)
    save(figure, path)


def draw_extremes(path: Path, table: Sequence[ClassScores], varieties: list[str], title: str) -> None:
    """The ten classes of highest and the ten of lowest accuracy; of fewer than twenty classes, half each.

    A class of which all images are recognised is not among the worst; if all classes are, the best are drawn
    alone. A line is the 95 % interval of `per_class`, a diamond the precision.
    """
    order = sorted(range(len(table)), key=lambda label: (-table[label].recall, varieties[label]))
    missed = [label for label in order if table[label].recall < 1]
    most = min(_EXTREMES, (len(order) + 1) // 2 if missed else len(order))
    least = min(_EXTREMES, len(order) - most, len(missed))
    halves = [("best", order[:most])]
    if least:
        halves.append(("worst", missed[-least:][::-1]))
    figure = Figure(figsize=(5.5 * len(halves), 1.6 + 0.3 * most), layout="constrained")
    for axes, (end, chosen) in zip(figure.subplots(1, len(halves), squeeze=False)[0], halves, strict=True):
        for place, label in enumerate(chosen):
            row = table[label]
            axes.plot([row.recall_low, row.recall_high], [place, place], color=BLUE, alpha=0.45)
            axes.plot(row.recall, place, "o", color=BLUE, label="" if place else "accuracy (recall)")
            axes.plot(
                row.precision, place, "D", color=ORANGE, markersize=5, markerfacecolor="none",
                label="" if place else "precision",
            )  # fmt: skip
        names = [f"{words(varieties[label])} ({table[label].images})" for label in chosen]
        axes.set_yticks(range(len(chosen)), names)
        axes.set_ylim(most - 0.5, -0.5)
        axes.set_xlim(-0.02, 1.02)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(axis="x", alpha=0.25)
        count = f"{len(chosen)} classes" if len(chosen) > 1 else "class"
        axes.set_title(f"{end} {count} (test images)", fontsize=10)
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False
    )
    figure.suptitle(plain(title))
    save(figure, path)


def draw_reliability(path: Path, labels: Ints, before: Array, after: Array | None, title: str) -> None:
    """Accuracy against confidence in bins of equally many images, before and after the temperature.

    `after` is None if no temperature was fitted.
    """
    figure = Figure(figsize=(5.2, 5.7), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="black", linestyle="--", linewidth=0.8, label="perfectly calibrated")
    curves = [("uncalibrated" if after is None else "before", GREY, before)]
    if after is not None:
        curves.append(("after temperature", BLUE, after))
    for name, colour, probabilities in curves:
        bins = reliability(labels, probabilities)
        error = calibration_error(labels, probabilities)
        axes.plot(
            [row.confidence for row in bins],
            [row.accuracy for row in bins],
            "o-",
            color=colour,
            markersize=4,
            label=f"{name}: calibration error {error:.3f}",
        )
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal")
    axes.grid(alpha=0.25)
    figure.legend(loc="outside lower center", frameon=False, fontsize=9)
    axes.set_title(plain(f"{title}, {len(bins)} bins of {len(labels)} test images"), fontsize=10)
    save(figure, path)
