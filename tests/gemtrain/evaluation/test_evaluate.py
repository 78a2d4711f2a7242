"""Scores against numbers worked out by hand, baselines, and models that cannot be evaluated."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gemkit.errors import UserError
from gemtrain.data.dataset import Dataset
from gemtrain.evaluation.baselines import (
    _patterns,
    colour_histograms,
    forest,
    local_binary_patterns,
    majority,
)
from gemtrain.evaluation.evaluate import evaluate
from gemtrain.evaluation.metrics import (
    blind_spots,
    by_species,
    confused_classes,
    confusion,
    macro,
    per_class,
    ranks,
    similar_together,
)
from gemtrain.recipe import load_settings
from gemtrain.training.train import train
from tests.helpers.textures import row_of, write_params, write_rows

CPU = torch.device("cpu")

LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2])
#                  predicted: 0, 1, 1, 2, 1, 0, 2, 2
GROUPS = ["a", "a", "b", "b", "c", "d", "e", "e"]
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


def test_ranks() -> None:
    assert ranks(LABELS, PROBABILITIES).tolist() == [0, 1, 2, 1, 0, 2, 0, 0]


def test_equal_probabilities_give_the_lower_label_the_place() -> None:
    equal = np.full((4, 4), 0.25)
    assert ranks(np.arange(4), equal).tolist() == [0, 1, 2, 3]


def test_per_class_and_macro() -> None:
    table = per_class(LABELS, PROBABILITIES, GROUPS)
    assert [row["groups"] for row in table] == [2, 2, 1]
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
    order = np.argsort(-probabilities, axis=1, kind="stable")
    assert ranks(labels, probabilities).tolist() == np.nonzero(order == labels[:, None])[1].tolist()
    table, predicted = per_class(labels, probabilities, labels.astype(str)), probabilities.argmax(1)
    every = list(range(classes))
    named = {"labels": every, "average": "macro", "zero_division": 0}
    assert macro(table)["macro_f1"] == pytest.approx(f1_score(labels, predicted, **named))
    assert macro(table)["macro_precision"] == pytest.approx(precision_score(labels, predicted, **named))
    for row in confused_classes(labels, probabilities):
        assert (
            row["first"] != row["variety"]
            and row["first_share"] + (row["second_share"] or 0) <= row["wrong"] + 1e-9
        )


def test_a_class_that_is_hardly_found_is_a_blind_spot() -> None:
    recalls = [0.5, 0.19, 0.2, 0.0]
    table = [{"images": 100, "recall": recall} for recall in recalls] + [{"images": 0, "recall": 0.0}]
    assert blind_spots(table) == [3, 1]


def test_species_add_up_their_varieties() -> None:
    varieties, species = ["aquamarine", "cats_eye", "emerald"], ["beryl", None, "beryl"]
    labels, probabilities = np.array([0, 1, 2]), np.array([[0.3, 0.4, 0.3], [0.3, 0.4, 0.3], [0.5, 0.4, 0.1]])
    kinds, of_kinds = by_species(labels, probabilities, varieties, species)
    assert kinds.tolist() == [0, 1, 0]
    assert of_kinds == pytest.approx(np.array([[0.6, 0.4], [0.6, 0.4], [0.6, 0.4]]))
    assert ranks(labels, probabilities).tolist() == [1, 0, 2]
    assert ranks(kinds, of_kinds).tolist() == [0, 1, 0]


def test_classes_taken_for_one_another_stand_together() -> None:
    rng = np.random.default_rng(0)
    family = rng.permutation(np.repeat(np.arange(20), 5))
    labels = np.repeat(np.arange(100), 40)
    relative = np.array([rng.choice(np.flatnonzero(family == family[label])) for label in labels])
    stray = np.where(rng.random(len(labels)) < 0.1, rng.integers(100, size=len(labels)), relative)
    matrix = confusion(labels, stray, 100)
    assert matrix[labels[0], stray[0]] > 0 and matrix.sum() == len(labels)
    order = similar_together(matrix)
    assert sorted(order) == list(range(100))
    assert (np.diff(family[order]) != 0).sum() == 19, "a family is not in one piece"
    assert similar_together(np.array([[3, 0], [1, 2]])).tolist() in ([0, 1], [1, 0])


def test_histograms_count_colours() -> None:
    images = torch.zeros(2, 4, 4, 3, dtype=torch.uint8)
    images[1, :2] = torch.tensor([255, 32, 0], dtype=torch.uint8)
    histograms = colour_histograms(images)
    assert histograms.shape == (2, 512) and histograms[0, 0] == 1
    assert histograms[1, 0] == 0.5 and histograms[1, 7 * 64 + 1 * 8] == 0.5


def test_local_binary_patterns_of_known_pictures() -> None:
    """Radius 1 of a 5 × 5 picture: 9 patterns. A step leaves the three neighbours beyond it darker."""
    flat, step, dot = (torch.zeros(5, 5, 3, dtype=torch.uint8) for _ in range(3))
    flat[:] = 90
    step[:, :3] = 200
    dot[2, 2] = 255
    small = torch.stack([flat, step, dot])
    patterns = local_binary_patterns(torch.nn.functional.pad(small, (0, 0, 4, 4, 4, 4)))
    assert patterns.shape == (3, 30) and np.allclose(patterns.reshape(3, 3, 10).sum(2), 1)
    codes = [_patterns(picture.numpy()[None, ..., 0].astype(np.float32), 1)[0] for picture in small]
    assert codes[0].tolist() == [8] * 9
    # Columns 1 to 3: bright all around, bright but for the right, dark with a bright left beside them.
    assert codes[1].reshape(3, 3).tolist() == [[8, 5, 8]] * 3
    # The dot outshines its neighbours; to those it is one brighter neighbour among equals.
    assert codes[2].reshape(3, 3).tolist() == [[8, 8, 8], [8, 0, 8], [8, 8, 8]]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 3))
def test_patterns_do_not_see_how_a_stone_lies(seed: int, quarters: int) -> None:
    images = torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (2, 20, 20, 3), dtype=np.uint8))
    turned = torch.rot90(images, quarters, (1, 2))
    assert np.allclose(local_binary_patterns(images), local_binary_patterns(turned), atol=1e-6)
    assert np.allclose(local_binary_patterns(images), local_binary_patterns(images.flip(2)), atol=1e-6)


def test_the_forest_tells_textures_of_one_colour_apart(gems: Path) -> None:
    for split, count in (("train", 24), ("validation", 4), ("test", 16)):
        rows = [
            {**row_of(label, 1000 * len(split) + number, split), "image": stripes(label, number, len(split))}
            for label in range(2)
            for number in range(count)
        ]
        write_rows("gems", split, rows)
    dataset = Dataset("gems")
    labels = dataset.splits["test"].labels.numpy()
    colour = (ranks(labels, forest(dataset, 0, (colour_histograms,))) < 1).mean()
    both = forest(dataset, 0)
    assert both.shape == (32, 2) and (ranks(labels, both) < 1).mean() >= 0.95 > colour
    assert np.array_equal(forest(dataset, 0), both)


def stripes(label: int, number: int, salt: int) -> dict[str, object]:
    """A chequered picture, half of it dark, in squares of one pixel or of eight: its colours tell nothing."""
    rng = np.random.default_rng([label, number, salt])
    side, grain = 64, (1, 8)[label]
    squares = rng.permutation((side // grain) ** 2).reshape(side // grain, side // grain, 1)
    shades = np.where(2 * squares < squares.size, 60, 180).astype(np.uint8)
    pixels = shades.repeat(grain, 0).repeat(grain, 1).repeat(3, 2)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return {"bytes": content.getvalue(), "path": "stripes.png"}


def train_quickly(recipe: str = "gemnet") -> None:
    write_params(gemnet={"max_steps": 3})
    recipe_settings, seed = load_settings(Path("params.yaml"), recipe)
    train("gems", recipe, recipe_settings, seed, CPU)


def test_majority_counts_photos_not_copies(gems: Path) -> None:
    """Class 1 has most rows, class 2 most photos; of the 8 test photos they have 4 and 3."""
    train = [row_of(0, 0, "train")] + [
        row_of(1, number // 4, "train", 90 * (number % 4)) for number in range(8)
    ]
    write_rows("gems", "train", train + [row_of(2, number, "train") for number in range(3)])
    test = [row_of(1, 200 + number, "test") for number in range(4)] + [row_of(0, 200, "test")]
    write_rows("gems", "test", test + [row_of(2, 200 + number, "test") for number in range(3)])
    assert majority(Dataset("gems")) == pytest.approx(3 / 8)


def test_a_model_of_other_classes_is_refused(gems: Path) -> None:
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
