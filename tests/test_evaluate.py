"""Scores against numbers worked out by hand, baselines, and models that cannot be evaluated."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_gemtrain import gems, row_of, write_params, write_rows  # noqa: F401

from gemkit.errors import UserError
from gemtrain.baselines import colour_histograms, majority
from gemtrain.data import Dataset
from gemtrain.evaluate import evaluate
from gemtrain.recipe import load_settings
from gemtrain.scores import confused_classes, macro, per_class, top_k
from gemtrain.train import train

CPU = torch.device("cpu")

LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2])
#                  predicted: 0, 1, 1, 2, 1, 0, 2, 2
PROBABILITIES = np.array(
    [
        [0.6, 0.3, 0.1],
        [0.3, 0.5, 0.2],
        [0.1, 0.7, 0.2],
        [0.3, 0.2, 0.5],
        [0.2, 0.6, 0.2],
        [0.5, 0.1, 0.4],
        [0.1, 0.1, 0.8],
        [0.0, 0.4, 0.6],
    ]
)


def test_top_k() -> None:
    assert top_k(LABELS, PROBABILITIES, 1) == 4 / 8
    assert top_k(LABELS, PROBABILITIES, 2) == 6 / 8
    assert top_k(LABELS, PROBABILITIES, 5) == 1.0


def test_equal_probabilities_give_the_lower_label_the_place() -> None:
    equal = np.full((4, 4), 0.25)
    assert top_k(np.arange(4), equal, 1) == 0.25 and top_k(np.arange(4), equal, 3) == 0.75


def test_per_class_and_macro() -> None:
    table = per_class(LABELS, PROBABILITIES)
    assert [row["images"] for row in table] == [4, 2, 2]
    assert [row["precision"] for row in table] == [1 / 2, 1 / 3, 2 / 3]
    assert [row["recall"] for row in table] == [1 / 4, 1 / 2, 1.0]
    assert [row["f1"] for row in table] == pytest.approx([1 / 3, 2 / 5, 4 / 5])
    scores = macro(table)
    assert scores["macro_precision"] == pytest.approx(0.5)
    assert scores["macro_recall"] == pytest.approx(7 / 12)
    assert scores["macro_f1"] == pytest.approx((1 / 3 + 2 / 5 + 4 / 5) / 3)


def test_what_a_class_is_taken_for() -> None:
    worst, other = confused_classes(LABELS, PROBABILITIES)
    assert worst == {
        "variety": 0, "images": 4, "wrong": 0.75,
        "first": 1, "first_share": 0.5, "second": 2, "second_share": 0.25,
    }  # fmt: skip
    assert (other["variety"], other["first"], other["second"]) == (1, 0, None)
    assert confused_classes(LABELS, PROBABILITIES, most=1) == [worst]


@settings(deadline=None)
@given(st.integers(2, 6), st.integers(1, 40), st.integers(0, 10_000))
def test_scores_hold_together(classes: int, images: int, seed: int) -> None:
    from sklearn.metrics import f1_score, precision_score

    rng = np.random.default_rng(seed)
    labels, probabilities = rng.integers(classes, size=images), rng.dirichlet(np.ones(classes), images)
    ranks = [top_k(labels, probabilities, k) for k in range(1, classes + 1)]
    assert ranks == sorted(ranks) and ranks[-1] == 1.0
    table, predicted = per_class(labels, probabilities), probabilities.argmax(1)
    every = list(range(classes))
    named = {"labels": every, "average": "macro", "zero_division": 0}
    assert macro(table)["macro_f1"] == pytest.approx(f1_score(labels, predicted, **named))
    assert macro(table)["macro_precision"] == pytest.approx(precision_score(labels, predicted, **named))
    for row in confused_classes(labels, probabilities):
        assert (
            row["first"] != row["variety"]
            and row["first_share"] + (row["second_share"] or 0) <= row["wrong"] + 1e-9
        )


def test_histograms_count_colours() -> None:
    images = torch.zeros(2, 4, 4, 3, dtype=torch.uint8)
    images[1, :2] = torch.tensor([255, 32, 0], dtype=torch.uint8)
    histograms = colour_histograms(images)
    assert histograms.shape == (2, 512) and histograms[0, 0] == 1
    assert histograms[1, 0] == 0.5 and histograms[1, 7 * 64 + 1 * 8] == 0.5


def train_quickly(recipe: str = "gemnet") -> None:
    write_params(gemnet={"max_steps": 3})
    recipe_settings, seed = load_settings(Path("params.yaml"), recipe)
    train("gems", recipe, recipe_settings, seed, CPU)


def test_majority_counts_photos_not_copies(gems: Path) -> None:  # noqa: F811
    """Class 1 has most rows, class 2 most photos; of the 8 test photos they have 4 and 3."""
    train = [row_of(0, 0, "train")] + [
        row_of(1, number // 4, "train", 90 * (number % 4)) for number in range(8)
    ]
    write_rows("gems", "train", train + [row_of(2, number, "train") for number in range(3)])
    test = [row_of(1, 200 + number, "test") for number in range(4)] + [row_of(0, 200, "test")]
    write_rows("gems", "test", test + [row_of(2, 200 + number, "test") for number in range(3)])
    assert majority(Dataset("gems")) == pytest.approx(3 / 8)


def test_a_model_of_other_classes_is_refused(gems: Path) -> None:  # noqa: F811
    train_quickly()
    path = Path("models/gems/gemnet/model.json")
    about = json.loads(path.read_text())
    path.write_text(json.dumps({**about, "varieties": ["Agate", "Opal", "Zircon"]}))
    with pytest.raises(UserError, match="other classes"):
        evaluate("gems", "gemnet", CPU)
    path.write_text("{")
    with pytest.raises(UserError, match=r"model\.json"):
        evaluate("gems", "gemnet", CPU)
    path.write_text(json.dumps({**about, "image_size": 96}))
    with pytest.raises(UserError, match="another network"):
        evaluate("gems", "gemnet", CPU)
    path.write_text(json.dumps(about))
    weights = Path("models/gems/gemnet/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(UserError, match=r"model\.safetensors"):
        evaluate("gems", "gemnet", CPU)
    assert not Path("metrics").exists()
