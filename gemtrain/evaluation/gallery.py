"""Galleries of test photos with what a model takes them for, as JPEG files."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from gemtrain.data.dataset import Split
from gemtrain.evaluation.figures import plain, save, words

_SIDE = 4
#: From picture to picture, in sides of one: beneath one another there are up to three lines of words between.
_ACROSS, _DOWN = 1.05, 1.4
_LETTERS = 22
_RIGHT, _WRONG = "#1f6f43", "#a3341a"


def draw_galleries(
    folder: Path, test: Split, images: Tensor, probabilities: np.ndarray, varieties: list[str], title: str
) -> None:
    """Write misclassified.jpg, correct.jpg and random.jpg: up to 16 test photos each, 4 × 4.

    The mistakes are those the model is surest of; the correct ones go evenly from the surest to the least
    sure; a group of photos of one stone is in each of them once. `probabilities` [N, classes] are the
    calibrated ones, of uint8 RGB `images` [N, H, W, 3].
    """
    right = probabilities.argmax(1) == test.labels.numpy()
    surest = np.argsort(-probabilities.max(1), kind="stable")
    wrong = one_a_group(surest[~right[surest]], test.groups)[: _SIDE**2]
    correct = one_a_group(surest[right[surest]], test.groups)
    correct = [correct[place] for place in spread(len(correct), _SIDE**2)]
    chosen = np.random.default_rng(0).permutation(len(test))[: _SIDE**2].tolist()
    for name, what, rows in (
        ("misclassified", "surest mistakes (→ taken for)", wrong),
        ("correct", "correct, from the surest to the least sure", correct),
        ("random", "test photos at random", chosen),
    ):
        captions = [
            words(varieties[test.labels[row]], _LETTERS)
            + ("" if right[row] else f"\n→ {words(varieties[probabilities[row].argmax()], _LETTERS)}")
            + f"\n{100 * probabilities[row].max():.0f} % sure"
            for row in rows
        ]
        colours = [_RIGHT if right[row] else _WRONG for row in rows]
        heading = f"{title}: {what}" if rows else f"{title}: no {what}"
        _draw(folder / f"{name}.jpg", images[rows].numpy(), captions, colours, heading)


def _draw(path: Path, images: np.ndarray, captions: list[str], colours: list[str], heading: str) -> None:
    """Pictures [N, H, W, 3] in lines of four, all on one axes whose unit is the side of a picture."""
    lines = max(1, -(-len(images) // _SIDE))
    figure = Figure(figsize=(7, 0.3 + 7 / (_SIDE * _ACROSS) * _DOWN * lines))
    figure.suptitle(plain(heading), fontsize=11)
    axes = figure.add_axes((0, 0, 1, 1 - 0.3 / figure.get_figheight()))
    axes.axis("off")
    for number, (image, caption, colour) in enumerate(zip(images, captions, colours, strict=True)):
        y, x = number // _SIDE * _DOWN + _DOWN - 1, number % _SIDE * _ACROSS
        axes.imshow(image, extent=(x, x + 1, y + 1, y))
        axes.text(x + 0.5, y - 0.02, caption, ha="center", va="bottom", fontsize=8, color=colour)
    axes.set(xlim=(-0.02, _SIDE * _ACROSS - 0.03), ylim=(lines * _DOWN + 0.02, 0))
    save(figure, path)


def one_a_group(rows: Iterable[int], groups: list[str]) -> list[int]:
    """The first of the rows of each group, in their order."""
    first: dict[str, int] = {}
    for row in rows:
        first.setdefault(groups[row], int(row))
    return list(first.values())


def spread(count: int, most: int) -> list[int]:
    """At most `most` places of `count`, evenly from the first to the last."""
    return (
        np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist() if count else []
    )
