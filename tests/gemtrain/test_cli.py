"""The commands of gemtrain on rendered textures."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from gemkit.project import Project
from gemkit.tables import read_table
from gemtrain.recipe import load_settings
from gemtrain.tables import PREDICTIONS
from tests.helpers.commands import ROOT, called, command, cpu_seconds
from tests.helpers.textures import SOURCES, VARIETIES, gemtrain, write_params, write_rows


def test_train_and_evaluate_write_their_files(gems: Path) -> None:
    gemtrain("train")
    said = gemtrain("evaluate")
    metrics = json.loads((gems / "metrics/gems/gemnet.json").read_text())
    assert f"top-1 {metrics['top1']:.3f}" in said
    assert (metrics["test_images"], metrics["test_groups"], metrics["classes"]) == (15, 15, 3)
    assert metrics["baselines"]["majority"] == pytest.approx(1 / 3, abs=1e-4)
    assert 0.9 <= metrics["baselines"]["forest"] <= 1
    metadata = json.loads((gems / "models/gems/gemnet/model.json").read_text())
    assert metadata["varieties"] == list(VARIETIES) and metadata["settings"]["batch_size"] == 8
    predictions = read_table(gems / "data/predictions/gems/gemnet.parquet", PREDICTIONS)
    assert predictions["sha256"].to_pylist() == sorted(predictions["sha256"].to_pylist())
    assert predictions["split"].to_pylist().count("validation") == 3 * SOURCES["validation"]
    predictions = predictions.filter(pc.equal(predictions["split"], "test"))
    probabilities = np.array(predictions["probabilities"].to_pylist())
    correct = probabilities.argmax(1) == predictions["label"].to_numpy()
    assert correct.mean() == pytest.approx(metrics["top1"], abs=1e-4)
    assert np.allclose(probabilities.sum(1), 1, atol=1e-5)
    assert len(predictions["embedding"][0].as_py()) == 512
    plots = gems / "plots/gems/gemnet"
    confusion = (plots / "confusion.csv").read_text().splitlines()
    assert confusion[0] == "actual,predicted" and len(confusion) == 16
    history = (gems / "models/gems/gemnet/history.csv").read_text().splitlines()
    assert len(history) == len((plots / "curves.csv").read_text().splitlines()) == 1 + metadata["epochs"]
    figures = ("curves", "confusion", "classes", "reliability")
    for name in (*(f"{name}.png" for name in figures), "misclassified.jpg", "correct.jpg", "random.jpg"):
        with Image.open(plots / name) as image:
            assert min(image.size) > 200
    assert (plots / "per_class.csv").exists() and (plots / "confused.csv").exists()
    assert not list((gems / ".cache/train").iterdir())


@pytest.mark.slow
def test_training_and_evaluating_again_gives_the_same_bytes(gems: Path) -> None:
    from gemtrain.evaluation.evaluate import evaluate
    from gemtrain.training.train import train

    settings, seed = load_settings(Path("params.yaml"), "gemnet")
    files = [
        "models/gems/gemnet/model.safetensors",
        "models/gems/gemnet/history.csv",
        "metrics/gems/gemnet.json",
    ]
    files += ["data/predictions/gems/gemnet.parquet", "plots/gems/gemnet/confusion.png"]
    runs = []
    for _ in range(2):
        train(Project(), "gems", settings, seed, torch.device("cpu"))
        evaluate(Project(), "gems", "gemnet", torch.device("cpu"))
        runs.append([(gems / file).read_bytes() for file in files])
    assert runs[0] == runs[1]


def test_a_network_and_a_recipe_are_one_file_each(gems: Path, tmp_path: Path) -> None:
    code = tmp_path / "code"
    for package in ("gemkit", "curation", "gemtrain"):
        shutil.copytree(ROOT / package, code / package, ignore=shutil.ignore_patterns("__pycache__"))
    (code / "gemtrain/models/blob.py").write_text(
        "from torch import nn\n"
        "from gemtrain.models.registry import network\n\n\n"
        "@network(image_size=32)\n"
        "def blob(image_size: int) -> tuple[nn.Module, int]:\n"
        "    return nn.Sequential(nn.AvgPool2d(image_size), nn.Flatten()), 3\n"
    )
    (code / "gemtrain/recipes/blob_slow.toml").write_text(
        'description = "mean colour"\nnetwork = "blob"\nimage_size = 32\n\n'
        '[[stages]]\ntrain = "head"\nepochs = 30\nlearning_rate = 0.03\n'
    )
    run = (
        "from gemtrain.cli import app\n"
        "chosen = ['--dataset', 'gems', '--recipe', 'blob_slow']\n"
        "for words in (['recipes'], ['train', *chosen], ['evaluate', *chosen]):\n"
        "    app(words, standalone_mode=False)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", run],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(code)},
    )
    assert "mean colour" in done.stdout
    assert json.loads((gems / "metrics/gems/blob_slow.json").read_text())["top1"] > 0.9


def test_refusals(gems: Path) -> None:
    assert "efficientnet_lite0, gemnet" in gemtrain("train", "gamenet", expect=2)
    assert "models/gems/gemnet" in gemtrain("evaluate", expect=2)
    assert "cuda" in gemtrain("train", "gemnet", "--device", "cuda:77", expect=2)
    assert "nowhere.yaml" in gemtrain("train", "gemnet", "--params", "nowhere.yaml", expect=2)
    write_params(gemnet={"learning_speed": 3})
    assert "train.recipes.gemnet.learning_speed" in gemtrain("train", expect=2)
    called("gemtrain", "train", cwd=gems, expect=2)


def test_a_leak_is_refused(gems: Path) -> None:
    train = pq.read_table("data/datasets/gems/train-00000.parquet").to_pylist()
    test = pq.read_table("data/datasets/gems/test-00000.parquet").to_pylist()
    test[0]["group_id"] = train[0]["group_id"]
    write_rows("gems", "test", test)
    said = gemtrain("evaluate", expect=2)
    assert "leaks" in said and str(train[0]["group_id"]) in said


def test_heavy_packages_are_not_imported() -> None:
    absent = (
        "bs4",
        "cv2",
        "rembg",
        "dvc",
        "scraper",
        "httpx",
        "onnx",
        "onnxruntime",
        "onnxscript",
        "rapidocr",
        "imagehash",
    )
    block = f"import sys; sys.modules.update(dict.fromkeys({absent!r}))\n"
    modules = [path.stem for path in (ROOT / "gemtrain").glob("*.py")]
    code = block + "import " + ", ".join(f"gemtrain.{name}" for name in modules if name != "__init__")
    code += "; from gemtrain.models.lookup import network_names; assert network_names()"
    code += "; assert not {'timm', 'torchvision'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    code = "import sys, gemtrain, gemtrain.cli; "
    code += "assert not {'torch', 'sklearn', 'matplotlib', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_help_is_quick(tmp_path: Path) -> None:
    seconds = []
    for _ in range(3):
        before = cpu_seconds()
        command("gemtrain", "--help", cwd=tmp_path)
        seconds.append(cpu_seconds() - before)
    assert min(seconds) < 0.5
