"""What figures about one model show."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from gemtrain.evaluation import figures
from gemtrain.evaluation.records import ClassScores

SCORES = ClassScores(images=5, groups=5, precision=0.9, recall=1.0, recall_low=0.6, recall_high=1.0, f1=0.9)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures, instead of files of them."""
    found: list[Figure] = []
    monkeypatch.setattr(figures, "save", lambda figure, path: found.append(figure))
    return found


def extremes(recalls: list[float], drawn: list[Figure]) -> dict[str, list[str]]:
    """The names of the classes in each panel of `draw_extremes`, by its title."""
    varieties = [f"class {label}" for label in range(len(recalls))]
    table = [replace(SCORES, recall=recall) for recall in recalls]
    figures.draw_extremes(Path("classes.png"), table, varieties, "title")
    return {
        axes.get_title(): [label.get_text() for label in axes.get_yticklabels()] for axes in drawn[-1].axes
    }


def test_a_class_without_mistakes_is_not_among_the_worst(drawn: list[Figure]) -> None:
    assert extremes([1, 0.2, 1, 1], drawn) == {
        "best 2 classes (test images)": ["class 0 (5)", "class 2 (5)"],
        "worst class (test images)": ["class 1 (5)"],
    }
    assert extremes([0.4, 0.2, 0.3, 0.5], drawn) == {
        "best 2 classes (test images)": ["class 3 (5)", "class 0 (5)"],
        "worst 2 classes (test images)": ["class 1 (5)", "class 2 (5)"],
    }
    assert extremes([1, 1, 1], drawn) == {
        "best 3 classes (test images)": ["class 0 (5)", "class 1 (5)", "class 2 (5)"]
    }


def test_reliability_without_a_temperature_is_one_curve(drawn: list[Figure]) -> None:
    labels, probabilities = np.array([0, 1]), np.array([[0.8, 0.2], [0.4, 0.6]])
    for after in (None, probabilities):
        figures.draw_reliability(Path("reliability.png"), labels, probabilities, after, "title")
    first, second = ([str(line.get_label()) for line in figure.axes[0].lines] for figure in drawn)
    assert [label.split(":")[0] for label in first] == ["perfectly calibrated", "uncalibrated"]
    assert [label.split(":")[0] for label in second] == [
        "perfectly calibrated",
        "before",
        "after temperature",
    ]
