"""MATLAB files in the layout of SAT-4 and SAT-6 become datasets."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import savemat
from typer.testing import CliRunner

from gemkit.project import Project
from gemtrain.cli import app
from gemtrain.data.dataset import Dataset, Split
from gemtrain.importers.import_dataset import import_dataset
from gemtrain.model_store import read_model
from gemtrain.recipe import load_settings
from gemtrain.scoring.model_outputs import predict
from gemtrain.training.train import train
from tests.helpers.class_folders import CLASSES, coloured_image
from tests.helpers.imported_data import class_counts, each, refused
from tests.helpers.textures import write_params


def write_mat(path: Path, train: int = 30, test: int = 12, turned: bool = False, **changes: Any) -> None:
    content: dict[str, Any] = {}
    for split, count in (("train", train), ("test", test)):
        if count:
            labels = np.arange(count) % 3
            first = 0 if split == "train" else 1000
            images = [coloured_image(label, first + n, bands=4) for n, label in enumerate(labels)]
            content[f"{split}_x"] = np.stack(images, axis=-1)
            marks = np.eye(3, dtype=np.uint8)[:, labels]
            content[f"{split}_y"] = marks.T if turned else marks
    vectors = [",".join(str(int(n == place)) for n in range(3)) for place in range(3)]
    content["annotations"] = np.array(list(zip(vectors, CLASSES, strict=True))[::-1], object)
    content |= changes
    savemat(path, {key: value for key, value in content.items() if value is not None}, do_compression=True)


@pytest.mark.parametrize("turned", [False, True])
def test_sat_files(inline: Path, turned: bool) -> None:
    write_mat(inline / "sat-3.mat", turned=turned)
    assert import_dataset(Project(), "sat-3.mat")[0] == "sat-3"
    assert class_counts("sat-3") == {"train": each(8), "validation": each(2), "test": each(4)}
    split = Split(Project(), "sat-3", "test")
    pixels, row = split.pixels(28, 4).numpy(), split.varieties.index("trees")
    assert any(np.array_equal(pixels[row], coloured_image(2, 1000 + n, bands=4)) for n in range(12))
    assert np.array_equal(split.pixels(28).numpy(), pixels[..., :3])


def test_sat_files_without_names_or_test(inline: Path) -> None:
    write_mat(inline / "sat.mat", test=0, annotations=None)
    import_dataset(Project(), "sat.mat")
    assert Dataset(Project(), "sat").varieties == ["class 1", "class 2", "class 3"]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"train_x": None}, "contains annotations, test_x, test_y, train_y; it must contain 'train_x'"),
        ({"train_x": np.zeros((28, 28, 30), np.uint8)}, r"'train_x' has the shape \[28, 28, 30\]"),
        ({"train_y": np.ones((3, 30))}, "'train_y' .* a single 1"),
        ({"train_x": np.zeros((28, 28, 4, 30))}, "must be uint8 .*float64"),
    ],
)
def test_mat_files_with_another_layout(inline: Path, changes: dict[str, Any], match: str) -> None:
    write_mat(inline / "sat.mat", **changes)
    refused(match, "sat.mat")


def test_unreadable_mat_files(inline: Path) -> None:
    write_mat(inline / "sat.mat")
    content = (inline / "sat.mat").read_bytes()
    (inline / "sat.mat").write_bytes(content[:3000])
    refused("contains train_x; it must contain", "sat.mat")
    (inline / "sat.mat").write_bytes(content[:200])
    refused("not a complete MATLAB file", "sat.mat")
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    (inline / "sat.mat").write_bytes(header + b"\x89HDF\r\n\x1a\n" + bytes(600))
    refused("7.3.*'-v7'", "sat.mat")


@pytest.mark.heavy
def test_train_and_evaluate_a_sat_file(here: Path) -> None:
    write_mat(here / "sat-3.mat", 60, 30)
    found = "MATLAB file of 3 classes, 51 training, 9 validation, 30 test images"
    for verb, said in (("train", "sat-3/gemnet: "), ("evaluate", "sat-3 / gemnet: top-1")):
        done = CliRunner().invoke(app, [verb, "--dataset", "sat-3.mat", "--recipe", "gemnet"])
        assert done.exit_code == 0 and found in done.stdout and said in done.stdout
    assert json.loads(Path("metrics/sat-3/gemnet.json").read_text())["test_images"] == 30


def test_a_recipe_may_train_on_the_fourth_band(inline: Path) -> None:
    write_params(gemnet={"image_size": 34, "max_steps": 2, "channels": 4})
    write_mat(inline / "sat-3.mat")
    recipe, seed = load_settings(Path("params.yaml"), "gemnet")
    train(Project(), import_dataset(Project(), "sat-3.mat")[0], recipe, seed, torch.device("cpu"))
    model, _ = read_model(Project(), "sat-3", "gemnet")
    pixels = Split(Project(), "sat-3", "test").pixels(34, 4)
    assert predict(model, pixels, torch.device("cpu"))[0].shape == (12, 3)
