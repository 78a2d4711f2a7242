"""The baselines: the majority class, and the random forest with its features."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gemkit.arrays import Array
from gemkit.project import Project
from gemtrain.data.dataset import Dataset
from gemtrain.evaluation.baselines import (
    COLOUR,
    Features,
    _patterns,
    colour_histograms,
    forest,
    local_binary_patterns,
    majority,
)
from gemtrain.evaluation.metrics import ranks
from tests.helpers.textures import row_of, write_rows


def test_histograms_count_colours() -> None:
    images = torch.zeros(2, 4, 4, 3, dtype=torch.uint8)
    images[1, :2] = torch.tensor([255, 32, 0], dtype=torch.uint8)
    histograms = colour_histograms(images)
    assert histograms.shape == (2, 512) and histograms[0, 0] == 1
    assert histograms[1, 0] == 0.5 and histograms[1, 7 * 64 + 1 * 8] == 0.5


def test_local_binary_patterns_of_known_images() -> None:
    """Radius 1 of a 5 × 5 image: 9 patterns. A step leaves the three neighbours beyond it darker."""
    flat, step, dot = (torch.zeros(5, 5, 3, dtype=torch.uint8) for _ in range(3))
    flat[:] = 90
    step[:, :3] = 200
    dot[2, 2] = 255
    small = torch.stack([flat, step, dot])
    patterns = local_binary_patterns(torch.nn.functional.pad(small, (0, 0, 4, 4, 4, 4)))
    assert patterns.shape == (3, 30) and np.allclose(patterns.reshape(3, 3, 10).sum(2), 1)
    codes = [_patterns(image.numpy()[None, ..., 0].astype(np.float32), 1)[0] for image in small]
    assert codes[0].tolist() == [8] * 9
    # Columns 1 to 3: bright all around, bright except on the right, dark with a bright left neighbour.
    assert codes[1].reshape(3, 3).tolist() == [[8, 5, 8]] * 3
    # The dot outshines its neighbours; to those it is one brighter neighbour among equals.
    assert codes[2].reshape(3, 3).tolist() == [[8, 8, 8], [8, 0, 8], [8, 8, 8]]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 3))
def test_patterns_are_rotation_invariant(seed: int, quarters: int) -> None:
    images = torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (2, 20, 20, 3), dtype=np.uint8))
    turned = torch.rot90(images, quarters, (1, 2))
    assert np.allclose(local_binary_patterns(images), local_binary_patterns(turned), atol=1e-6)
    assert np.allclose(local_binary_patterns(images), local_binary_patterns(images.flip(2)), atol=1e-6)


def test_the_forest_distinguishes_textures_of_one_colour(gems: Path) -> None:
    for split, count in (("train", 24), ("validation", 4), ("test", 16)):
        rows = [
            {**row_of(label, 1000 * len(split) + number, split), "image": stripes(label, number, len(split))}
            for label in range(2)
            for number in range(count)
        ]
        write_rows("gems", split, rows)
    dataset = Dataset(Project(), "gems")
    labels = dataset.splits["test"].labels.numpy()
    colour = (ranks(labels, forest(dataset, 0, (COLOUR,))) < 1).mean()
    both = forest(dataset, 0)
    assert both.shape == (32, 2) and (ranks(labels, both) < 1).mean() >= 0.95 > colour
    assert np.array_equal(forest(dataset, 0), both)


def test_forests_on_features_of_different_names_are_cached_apart(gems: Path) -> None:
    dataset = Dataset(Project(), "gems")

    def describe(images: torch.Tensor) -> Array:
        return np.zeros((len(images), 1), np.float32)

    colour = forest(dataset, 0, (COLOUR,))
    nothing = forest(dataset, 0, (Features("nothing", describe),))
    everything = forest(dataset, 0, (Features("everything", COLOUR.describe),))
    assert np.array_equal(everything, colour) and not np.array_equal(nothing, colour)
    with_the_name_of_colour = forest(dataset, 0, (Features("colour_histograms", describe),))
    assert np.array_equal(with_the_name_of_colour, colour)


def stripes(label: int, number: int, salt: int) -> dict[str, object]:
    """A chequered image, half of it dark, in squares of one pixel or of eight: colours do not help."""
    rng = np.random.default_rng([label, number, salt])
    side, grain = 64, (1, 8)[label]
    squares = rng.permutation((side // grain) ** 2).reshape(side // grain, side // grain, 1)
    shades = np.where(2 * squares < squares.size, 60, 180).astype(np.uint8)
    pixels = shades.repeat(grain, 0).repeat(grain, 1).repeat(3, 2)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return {"bytes": content.getvalue(), "path": "stripes.png"}


def test_majority_counts_source_images_not_copies(gems: Path) -> None:
    """Class 1 has most rows, class 2 most source images; of the 8 test images they have 4 and 3."""
    train = [row_of(0, 0, "train")] + [
        row_of(1, number // 4, "train", 90 * (number % 4)) for number in range(8)
    ]
    write_rows("gems", "train", train + [row_of(2, number, "train") for number in range(3)])
    test = [row_of(1, 200 + number, "test") for number in range(4)] + [row_of(0, 200, "test")]
    write_rows("gems", "test", test + [row_of(2, 200 + number, "test") for number in range(3)])
    assert majority(Dataset(Project(), "gems")) == pytest.approx(3 / 8)
