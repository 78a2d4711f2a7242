"""Figures of a model, as PNG files."""

from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gemkit.tables import replaced

matplotlib.use("Agg")

_TRAIN, _VALIDATION = "#8a8f98", "#1565c0"


def draw_curves(path: Path, history: list[dict[str, float]], title: str) -> None:
    """Accuracy and loss over the epochs; dashed where the stage changes, a dot at the best epoch."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    epochs = [row["epoch"] for row in history]
    best = max(history, key=lambda row: (row["validation_accuracy"], -row["validation_loss"]))
    for axes, quantity in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        axes.plot(epochs, [row[f"train_{quantity}"] for row in history], color=_TRAIN, label="training")
        axes.plot(
            epochs, [row[f"validation_{quantity}"] for row in history], color=_VALIDATION, label="validation"
        )
        axes.plot(best["epoch"], best[f"validation_{quantity}"], "o", color=_VALIDATION, label="kept epoch")
        for before, after in pairwise(history):
            if before["stage"] != after["stage"]:
                change = (before["epoch"] + after["epoch"]) / 2
                axes.axvline(change, color="black", linestyle="--", linewidth=0.8)
                axes.annotate(
                    f" stage {after['stage']:.0f} ",
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
    figure.suptitle(title)
    _save(figure, path)


def draw_confusion(
    path: Path, labels: np.ndarray, predicted: np.ndarray, varieties: list[str], title: str
) -> None:
    """Confusion matrix, shares of each true class (row) in percent."""
    count = len(varieties)
    matrix = np.zeros((count, count))
    np.add.at(matrix, (labels, predicted), 1)
    images = matrix.sum(axis=1, keepdims=True)
    shares = matrix / np.maximum(images, 1)
    side = 2.5 + 0.42 * count
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(count), varieties, rotation=90)
    axes.set_yticks(
        range(count), [f"{name} ({n:.0f})" for name, n in zip(varieties, images[:, 0], strict=True)]
    )
    axes.set(xlabel="predicted", ylabel="actual (test photos)", title=f"{title}, % of each class")
    for row, column in zip(*np.nonzero(matrix), strict=True):
        share = shares[row, column]
        colour = "white" if share > 0.5 else "black"
        axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", color=colour, fontsize=8)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with replaced(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})
