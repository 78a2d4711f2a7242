"""`gemtrain export`: the ONNX files agree with PyTorch, and their card is correct."""

import io
import json
import re
import shutil
from collections.abc import Callable
from contextlib import chdir, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pyarrow.compute as pc
import pytest
import torch
from PIL import Image

from gemkit.project import Project
from gemkit.stats.calibration import apply_temperature, fit_temperature
from gemkit.stats.confidence_intervals import Estimate, Interval
from gemkit.tables import read_table
from gemtrain.data.dataset import Dataset
from gemtrain.evaluation.records import Metrics
from gemtrain.export import export as exporting
from gemtrain.export.benchmark import PYTORCH, Measured
from gemtrain.export.model_card import model_card
from gemtrain.export.onnx_graph import Calibrated, open_session, run_session, to_int8, to_onnx
from gemtrain.model_metadata import ModelMetadata
from gemtrain.models.classifier import Classifier
from gemtrain.models.factory import build_model
from gemtrain.models.lookup import find_network, network_names
from gemtrain.scoring.model_outputs import predict
from gemtrain.tables import PREDICTIONS
from tests.helpers.commands import called
from tests.helpers.training import recipe_of

SIDE = 64  # of the pipeline's models


FILES = ("model.onnx", "model.int8.onnx")


def export(folder: Path, cwd: Path, expect: int = 0) -> str:
    """Export the pipeline's custom CNN; returns the output of the command."""
    arguments = ("--dataset", "d1k", "--recipe", "gemnet", "--out", str(folder))
    done = called("gemtrain", "export", *arguments, cwd=cwd, expect=expect)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def exported(pipeline: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of an export, and the output of the command."""
    folder = tmp_path_factory.mktemp("exported")
    return folder, export(folder, pipeline)


@pytest.fixture
def copied(pipeline: Path, tmp_path: Path) -> Path:
    """A copy of the files that an export reads, to be changed."""
    for part in ("data/datasets/d1k", "data/predictions/d1k", "metrics/d1k", "models/d1k/gemnet"):
        shutil.copytree(pipeline / part, tmp_path / part)
    (tmp_path / "params.yaml").touch()
    return tmp_path


def change(path: Path, alter: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    alter(content)
    path.write_text(json.dumps(content))


def evaluated(pipeline: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of a split as `gemtrain evaluate` wrote them, in order of sha256."""
    table = read_table(pipeline / "data/predictions/d1k/gemnet.parquet", PREDICTIONS)
    table = table.filter(pc.equal(table["split"], split))
    return table["label"].to_numpy(), np.array(table["probabilities"].to_pylist())


def pixels_of_test(pipeline: Path) -> np.ndarray:
    """The test images, in order of sha256."""
    test = Dataset(Project(pipeline), "d1k").splits["test"]
    return test.pixels(SIDE).numpy()[np.argsort(test.sha256s)]


def test_raw_pixels_become_the_calibrated_probabilities_of_evaluate(
    exported: tuple[Path, str], pipeline: Path
) -> None:
    temperature = fit_temperature(*evaluated(pipeline, "validation"))
    labels, probabilities = evaluated(pipeline, "test")
    expected = apply_temperature(probabilities, temperature)
    images = pixels_of_test(pipeline)
    for name, tolerance in zip(FILES, (1e-3, 0.1), strict=True):
        session = onnxruntime.InferenceSession(exported[0] / name)
        (given,), (output,) = session.get_inputs(), session.get_outputs()
        assert (given.name, given.type, given.shape[1:]) == ("images", "tensor(uint8)", [SIDE, SIDE, 3])
        assert (output.name, output.type) == ("probabilities", "tensor(float)")
        found = session.run(None, {"images": images})[0]
        assert found.shape == (len(labels), probabilities.shape[1]) and np.allclose(
            found.sum(1), 1, atol=1e-5
        )
        assert np.abs(found - expected).max() < tolerance
        alone = session.run(["probabilities"], {"images": images[:1]})[0]
        assert np.abs(alone - found[:1]).max() < tolerance
        properties = session.get_modelmeta().custom_metadata_map
        metadata = json.loads((pipeline / "models/d1k/gemnet/model.json").read_text())
        for key in ("dataset", "dataset_version", "recipe", "network"):
            assert properties[key] == metadata[key]
        for key in ("varieties", "species", "image_size"):
            assert json.loads(properties[key]) == metadata[key]
        assert properties["channels"] == "3"
        assert float(properties["temperature"]) == pytest.approx(temperature, abs=1e-3)
    small, large = ((exported[0] / name).stat().st_size for name in reversed(FILES))
    assert small < 0.4 * large


def test_the_files_contain_no_local_paths(exported: tuple[Path, str]) -> None:
    for name in FILES:
        content = (exported[0] / name).read_bytes()
        assert b"gemtrain/" not in content and b"site-packages" not in content


def test_the_example_of_the_card_works(exported: tuple[Path, str], pipeline: Path, tmp_path: Path) -> None:
    shutil.copytree(exported[0], tmp_path, dirs_exist_ok=True)
    code = re.search(r"```python\n(.*?)```", (tmp_path / "README.md").read_text(), re.DOTALL)
    assert code is not None and len(code[1].splitlines()) <= 10
    pixels = Dataset(Project(pipeline), "d1k").splits["test"].pixels(SIDE).numpy()[:1]
    Image.fromarray(pixels[0]).save(tmp_path / "crop.jpg", "PNG")
    said = io.StringIO()
    with chdir(tmp_path), redirect_stdout(said):
        exec(code[1], {})
        session = onnxruntime.InferenceSession("model.onnx")
    found = session.run(None, {"images": pixels})[0][0]
    varieties = json.loads(session.get_modelmeta().custom_metadata_map["varieties"])
    first = f"{found.max():.1%} {varieties[found.argmax()]}"
    assert said.getvalue().splitlines()[0] == first and len(said.getvalue().splitlines()) == 5


def test_the_card_and_the_command_state_what_was_measured(exported: tuple[Path, str], pipeline: Path) -> None:
    folder, said = exported
    card = (folder / "README.md").read_text()
    metrics = json.loads((pipeline / "metrics/d1k/gemnet.json").read_text())
    low, high = metrics["intervals"]["top1"]
    assert f"| top-1 | {metrics['top1']:.3f} | {low:.3f} to {high:.3f} |" in card
    assert metrics["dataset"]["version"] in card and f"{metrics['test_images']} test images" in card
    for variety in json.loads((pipeline / "models/d1k/gemnet/model.json").read_text())["varieties"]:
        assert f"| {variety} |" in card
    rows = {row.split(" | ")[0]: row.split(" | ") for row in card.replace("| ", "", 1).splitlines()}
    for name in ("PyTorch", *FILES):
        row = next(cells for first, cells in rows.items() if first.strip("| ") == name)
        assert float(row[-1].strip("| ")) > 0  # milliseconds
    for name in ("PyTorch", "model.onnx"):
        assert f"{name}: top-1 {metrics['top1']:.3f} [{low:.3f}, {high:.3f}]" in said
    labels, images = evaluated(pipeline, "test")[0], pixels_of_test(pipeline)
    for name in FILES:
        found = onnxruntime.InferenceSession(folder / name).run(None, {"images": images})[0].argmax(1)
        told = re.search(rf"^{re.escape(name)}: top-1 ([\d.]+) ", said, re.MULTILINE)
        assert told is not None
        assert float(told[1]) == pytest.approx((found == labels).mean(), abs=1.5 / len(labels))
    assert "in agreement on 1.000 [" in said


def test_the_card_names_weights_without_their_folder_and_the_threshold(pipeline: Path) -> None:
    metadata = json.loads((pipeline / "models/d1k/gemnet/model.json").read_text())
    metadata["settings"] |= {"weights": "/home/somebody/weights.pth", "colour_bins": 8}
    metadata["confidence"]["threshold"] = 0.9
    metrics = json.loads((pipeline / "metrics/d1k/gemnet.json").read_text())
    share = Estimate(0.5, Interval(0.4, 0.6))
    measured = [Measured(PYTORCH, None, share, share, share, 0.1, {1: 2.0})]
    card = model_card(
        Dataset(Project(pipeline), "d1k"),
        ModelMetadata.from_json(metadata),
        Metrics.from_json(metrics),
        evaluated(pipeline, "test")[1],
        measured,
    )
    assert "* initial weights: weights.pth\n" in card and "somebody" not in card
    assert "* colour expert: a histogram of 8 bins a channel\n" in card
    assert "At a probability of 0.90 (`acceptance_threshold`) or more, 95 % or more of its" in card


def test_refusals(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (copied / "taken").touch()
    assert "'taken' cannot be written" in export(Path("taken"), copied, expect=2)
    metrics = copied / "metrics/d1k/gemnet.json"
    change(metrics, lambda content: content.update(top1=content["top1"] + 0.1))
    assert "of another model" in export(Path("out"), copied, expect=2)
    metrics.unlink()
    assert "gemtrain evaluate --dataset d1k --recipe gemnet" in export(Path("out"), copied, expect=2)
    model = copied / "models/d1k/gemnet/model.json"
    change(model, lambda content: content.update(dataset_version="0"))
    assert "another version" in export(Path("out"), copied, expect=2)
    change(model, lambda content: content["varieties"].reverse())
    assert "different classes" in export(Path("out"), copied, expect=2)
    shutil.rmtree(model.parent)
    assert "gemtrain train --dataset d1k --recipe gemnet" in export(Path("out"), copied, expect=2)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install onnx onnxruntime onnxscript" in export(Path("out"), copied, expect=2)
    assert not list(copied.glob("out/*"))


def test_the_same_model_gives_the_same_bytes_and_a_file_that_disagrees_is_not_written(
    exported: tuple[Path, str], copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def keep(*arguments: Any) -> bytes:
        made.append(to_onnx(*arguments))
        return made[0]

    monkeypatch.setattr(exporting, "to_onnx", keep)
    monkeypatch.setattr(exporting, "to_int8", lambda content, images: content)
    monkeypatch.setattr(
        exporting, "run_session", lambda *arguments: np.roll(run_session(*arguments), 1, axis=1)
    )
    assert "Nothing was written" in export(Path("out"), copied, expect=2)
    assert not list(copied.glob("out/*"))
    assert made == [(exported[0] / "model.onnx").read_bytes()]


@torch.no_grad()
def check_exported(model: Classifier, side: int, views: int = 1) -> bytes:
    """Export a random network, scaled to distinguish images, and compare its outputs in batches.

    Returns its ONNX file, before it is rounded.
    """
    channels = model.mean.numel()
    images = (255 * torch.rand(18, side, side, channels) * torch.rand(18, 1, 1, channels)).byte()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # statistics of these images, without which signals vanish
    model.train()(images.permute(0, 3, 1, 2))
    logits = model.eval()(images.permute(0, 3, 1, 2))
    mean, spread = logits.mean(0), logits.std(0)
    for layer in model.head.modules():
        if isinstance(layer, torch.nn.Linear) and layer.out_features == len(mean):
            layer.weight /= spread[:, None]
            layer.bias.copy_((layer.bias - mean) / spread)
    calibrated = Calibrated(model, views, 0.5).eval()
    content = to_onnx(calibrated, side, {"network": "any"})
    probabilities, _ = predict(model, images, torch.device("cpu"), views)
    expected = apply_temperature(probabilities, calibrated.temperature)
    found = run_session(open_session(content, 1), images.numpy(), "model.onnx")
    int8 = open_session(to_int8(content, images.numpy()), 1)
    rounded = run_session(int8, images.numpy(), "model.int8.onnx")
    assert expected.std(0).min() > 0.05 and np.abs(found - expected).max() < 0.01
    # Deep random layers amplify rounding; still an image's output is closer to its own than to others'.
    distances = np.abs(rounded[:, None] - expected).mean(2)
    assert distances.diagonal().mean() < 0.95 * distances.mean()
    return content


@pytest.mark.heavy
def test_other_channels_and_mirror_images_can_be_exported() -> None:
    torch.manual_seed(0)
    check_exported(build_model(recipe_of("gemnet_mixed_net", 36, channels=4), 4), 36, views=2)


@pytest.mark.heavy
def test_a_colour_expert_is_exported_and_stays_in_float() -> None:
    torch.manual_seed(0)
    model = build_model(recipe_of("gemnet", 36, colour_bins=4), 4)
    content = check_exported(model, 36)
    nodes = onnx.load_from_string(to_int8(content, np.zeros((4, 36, 36, 3), np.uint8))).graph.node
    colour_nodes = [node for node in nodes if node.name.startswith("float.")]
    assert {"MatMul", "Sqrt", "Gemm"} <= {node.op_type for node in colour_nodes}
    rounded = {output for node in nodes if node.op_type == "DequantizeLinear" for output in node.output}
    read = {node.op_type for node in nodes if rounded.intersection(node.input)}
    assert "Conv" in read and not read & {"MatMul", "Sqrt"}
    assert not any(rounded.intersection(node.input) for node in colour_nodes if node.op_type == "Gemm")


@pytest.mark.slow
@pytest.mark.parametrize("name", network_names())
def test_every_network_can_be_exported(name: str) -> None:
    torch.manual_seed(0)
    side = max(40, find_network(name).least_side)
    check_exported(build_model(recipe_of(name, side), 4), side)


@pytest.mark.slow
@pytest.mark.parametrize("views", [8, 16])
def test_every_number_of_views_can_be_exported(views: int) -> None:
    torch.manual_seed(0)
    check_exported(build_model(recipe_of("gemnet", 36), 4), 36, views)


@pytest.mark.slow
def test_features_of_layers_and_transformers_can_be_exported() -> None:
    torch.manual_seed(0)
    check_exported(build_model(recipe_of("resnet18", 40, channels=1, features=("early", "deep")), 4), 40)
    check_exported(build_model(recipe_of("timm/vit_tiny_patch16_224", 224), 4), 224)
