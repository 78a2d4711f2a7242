"""Galleries of test images with a model's predictions, as JPEG files."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from gemkit.arrays import Array, Bytes
from gemtrain.data.dataset import Split
from gemtrain.evaluation.drawing import plain, save, words

_SIDE = 4
#: The spacing of images, in image sides: up to three lines of caption fit between rows.
_ACROSS, _DOWN = 1.05, 1.4
_MAX_NAME = 22
_RIGHT, _WRONG = "#1f6f43", "#a3341a"


def draw_galleries(
    folder: Path, test: Split, images: Tensor, probabilities: Array, varieties: list[str], title: str
) -> None:
    """Write misclassified.jpg, correct.jpg and random.jpg: up to 16 test images each, 4 × 4.

    The mistakes are the most confident ones; the correct predictions range evenly from the most to the least
    confident; each group of images of one stone is in either of these at most once. `probabilities` [N,
    classes] are the calibrated ones of uint8 RGB `images` [N, H, W, 3].
    """
    is_correct = probabilities.argmax(1) == test.labels.numpy()
    by_confidence = np.argsort(-probabilities.max(1), kind="stable")
    wrong = one_per_group(by_confidence[~is_correct[by_confidence]], test.groups)[: _SIDE**2]
    correct = one_per_group(by_confidence[is_correct[by_confidence]], test.groups)
    correct = [correct[place] for place in spread(len(correct), _SIDE**2)]
    chosen = np.random.default_rng(0).permutation(len(test))[: _SIDE**2].tolist()
    for name, what, rows in (
        ("misclassified", "most confident mistakes (→ prediction)" if wrong else "no mistakes", wrong),
        ("correct", "correct, from the most to the least confident", correct),
        ("random", "test images at random", chosen),
    ):
        captions = [
            words(varieties[test.labels[row]], _MAX_NAME)
            + ("" if is_correct[row] else f"\n→ {words(varieties[probabilities[row].argmax()], _MAX_NAME)}")
            + f"\n{100 * probabilities[row].max():.0f} % sure"
            for row in rows
        ]
        colours = [_RIGHT if is_correct[row] else _WRONG for row in rows]
        heading = f"{title}: {what}" if rows else f"{title}: no {what}"
        _draw(folder / f"{name}.jpg", images[rows].numpy(), captions, colours, heading)


def _draw(path: Path, images: Bytes, captions: list[str], colours: list[str], heading: str) -> None:
    """Images [N, H, W, 3] in rows of four, all on one axes object whose unit is the side of an image."""
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


def one_per_group(rows: Iterable[int], groups: list[str]) -> list[int]:
    """The first row of each group, in order."""
    first: dict[str, int] = {}
    for row in rows:
        first.setdefault(groups[row], int(row))
    return list(first.values())


def spread(count: int, most: int) -> list[int]:
    """At most `most` indices of `count`, evenly from the first to the last."""
    return (
        np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist() if count else []
    )
