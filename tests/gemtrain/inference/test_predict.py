"""`gemtrain predict`: images are prepared like the training images, and uncertainty is reported."""

import io
import json
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from PIL import Image

from curation.cropping.crop import VERSION
from curation.cropping.params import CropSettings
from curation.tables import CLEAN
from gemkit.project import Project
from gemkit.stats.calibration import apply_temperature, fit_temperature
from gemkit.tables import read_table
from gemtrain.cli import main
from gemtrain.inference.predict import predict_images
from gemtrain.inference.prepare_images import PreparedImage, Skipped, prepare_images
from gemtrain.tables import PREDICTIONS

PREDICTED = Path("data/predictions/d1k/gemnet.parquet")


ORIENTATION = 0x0112


def predict(*arguments: object, model: str = "d1k/gemnet", expect: int = 0) -> tuple[str, str]:
    """Run `gemtrain predict` in this process; its standard output and standard error."""
    said, complained = io.StringIO(), io.StringIO()
    on_interrupt = signal.getsignal(signal.SIGINT)
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(said),
        redirect_stderr(complained),
        pytest.raises(SystemExit) as end,
    ):
        patch.setattr(sys, "argv", ["gemtrain", "predict", *map(str, arguments), "--model", model])
        main()
    signal.signal(signal.SIGINT, on_interrupt)
    assert (end.value.code or 0) == expect, complained.getvalue()
    return said.getvalue(), complained.getvalue()


def records_of(*arguments: object, **more: str) -> dict[str, dict[str, object]]:
    """The records of `--json` by the name of their file."""
    return {Path(row["file"]).name: row for row in json.loads(predict(*arguments, "--json", **more)[0])}


@pytest.fixture
def model_alone(pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with only a model, as the current folder."""
    shutil.copytree(pipeline / "models/d1k/gemnet", tmp_path / "models/d1k/gemnet")
    (tmp_path / "params.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def describe(crop: dict[str, object] | None, threshold: float | None) -> None:
    """Write into model.json how the images were cropped, and the confidence threshold."""
    rewrite(crop=crop, confidence={"temperature": 1.0, "threshold": threshold})


def rewrite(**changes: object) -> None:
    """Change model.json."""
    path = Path("models/d1k/gemnet/model.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def store_image(folder: Path) -> Image.Image:
    """An image of the store in which a stone is found."""
    rows = read_table(folder / "data/clean.parquet", CLEAN).to_pylist()
    path = next(row["path"] for row in rows if row["keep"])
    with Image.open(folder / "data/raw" / path) as image:
        return image.convert("RGB")


def test_raw_images_get_the_predictions_of_the_dataset(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pipeline)
    paths = {row["sha256"]: row["path"] for row in read_table(Path("data/clean.parquet"), CLEAN).to_pylist()}
    table = read_table(PREDICTED, PREDICTIONS)
    validation = table.filter(pc.equal(table["split"], "validation"))
    temperature = fit_temperature(
        validation["label"].to_numpy(), np.array(validation["probabilities"].to_pylist())
    )
    test = table.filter(pc.equal(table["split"], "test")).to_pylist()[:12]
    found = records_of(*(Path("data/raw") / paths[row["sha256"]] for row in test))
    varieties = json.loads(Path("models/d1k/gemnet/model.json").read_text())["varieties"]
    assert len(found) == len(test)
    for row in test:
        record = found[Path(paths[row["sha256"]]).name]
        values = apply_temperature(np.array([row["probabilities"]]), temperature)[0]
        shown = [candidate["probability"] for candidate in record["top"]]
        assert shown == pytest.approx(np.sort(values)[:-6:-1], abs=2e-3)
        named = [values[varieties.index(candidate["variety"])] for candidate in record["top"]]
        assert shown == pytest.approx(named, abs=2e-3)
        assert record["species"]["probability"] >= record["top"][0]["probability"]
        has_stone = record["method"] != "original"
        assert record["method"] in ("classical+canny", "rembg+canny", "original")
        assert len(record["crop_box"]) == 4
        threshold = record["threshold"]
        sure = threshold is not None and values.max() >= threshold
        assert record["accepted"] == (sure and has_stone)
    assert sum(record["method"] != "original" for record in found.values()) > 6


def test_rotated_transparent_tiny_and_undecodable_images(model_alone: Path, pipeline: Path) -> None:
    describe(CropSettings(version=VERSION, size=64, removal="classical").model_dump(), 0.0)
    folder = model_alone / "images"
    (folder / "deeper").mkdir(parents=True)
    image = store_image(pipeline)
    turned = image.getexif()
    turned[ORIENTATION] = 6
    image.save(folder / "upright.png")
    image.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png", exif=turned)
    image.save(folder / "photo.webp", lossless=True)
    see_through = image.convert("RGBA")
    see_through.paste((0, 0, 0, 0), (0, 0, image.width, 12))
    see_through.save(folder / "transparent.png")
    image.paste((255, 255, 255), (0, 0, image.width, 12))
    image.save(folder / "deeper" / "white.png")
    Image.new("RGB", (7, 3), (90, 20, 20)).save(folder / "tiny.jpg")
    (folder / "broken.JPG").write_bytes((folder / "upright.png").read_bytes()[:2000])
    (folder / "._upright.png").write_bytes(b"of the file system")
    (folder / "notes.txt").write_text("not an image")

    said, complained = predict(folder, folder / "tiny.jpg", "--json")
    found = {Path(row.pop("file")).name: row for row in json.loads(said)}
    names = ["white.png", "photo.webp", "tiny.jpg", "transparent.png", "turned.png", "upright.png"]
    assert list(found) == names
    assert found["turned.png"] == found["upright.png"] == found["photo.webp"]
    assert found["transparent.png"] == found["white.png"]
    assert found["upright.png"]["method"] == "classical+canny" and found["upright.png"]["accepted"]
    assert found["tiny.jpg"]["method"] == "original" and not found["tiny.jpg"]["accepted"]
    assert "broken.JPG" in complained and "1 of 7 images skipped" in complained


def test_a_model_folder_suffices_and_uncertainty_is_reported(model_alone: Path, pipeline: Path) -> None:
    store_image(pipeline).save("stone.png")
    describe(None, 0.0)
    ((_, record),) = records_of("stone.png").items()
    assert record["accepted"] and record["crop_box"] is None and record["method"] is None
    describe(None, 0.99)
    first, *candidates, last = predict("stone.png")[0].splitlines()
    best = record["top"][0]
    assert first.startswith(f"stone.png: not sure; perhaps {best['variety']} {best['probability']:.0%}, ")
    assert [candidate.split()[1:] for candidate in candidates] == [
        [candidate["variety"], candidate["species"]] for candidate in record["top"]
    ]
    assert "sure of 0 of 1" in last and "99%" in last


def test_refusals(model_alone: Path) -> None:
    describe(None, None)
    Path("empty").mkdir()
    Path("empty.png").touch()
    Path("letter.png").write_text("<html>gone</html>")
    for arguments, words in (
        (["nowhere.jpg"], "'nowhere.jpg'"),
        (["x" * 300], "no file or folder"),
        (["empty"], "'empty' contains no image"),
        (["empty.png", "letter.png"], "No image could be used"),
    ):
        _, complained = predict(*arguments, expect=2)
        assert words in complained and "Traceback" not in complained
    assert "2 of 2 images skipped" in complained and "HTML" in complained
    assert "models/d1k/gamenet" in predict("empty.png", model="d1k/gamenet", expect=2)[1]
    assert "<dataset>/<recipe>" in predict("empty.png", model="gemnet", expect=2)[1]
    describe(CropSettings(version=0, size=64).model_dump(), None)
    assert "another version" in predict("empty.png", expect=2)[1]
    for changes in (
        {"confidence": {"temperature": 1.0}},
        {"confidence": {"temperature": 1.0, "threshold": "high"}},
        {"crop": {"size": 64}},
        {"crop": CropSettings(version=VERSION, size=64).model_dump() | {"size": "large"}},
        {"crop": CropSettings(version=VERSION, size=64).model_dump() | {"colour": "red"}},
        {"crop": "none"},
    ):
        describe(None, None)
        rewrite(**changes)
        complained = predict("empty.png", expect=2)[1]
        assert "'models/d1k/gemnet/model.json': " in complained and "Traceback" not in complained
        assert "; run 'gemtrain train --dataset d1k --recipe gemnet' again." in complained


def test_predictions_are_streamed(
    model_alone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    describe(None, 0.0)
    files = [Path(f"{name}.png") for name in "abcd"]
    for file in files:
        file.touch()
    taken = []

    def prepared(files: Sequence[Path], *_: object) -> Iterator[PreparedImage | Skipped]:
        for file in files:
            taken.append(file)
            broken = file.name == "b.png"
            pixels = np.zeros((64, 64, 3), np.uint8)
            yield Skipped(file, "it is broken") if broken else PreparedImage(file, pixels, None, None)

    monkeypatch.setattr("gemtrain.inference.predict.prepare_images", prepared)
    monkeypatch.setattr("gemtrain.inference.predict._BATCH", 1)
    lines = predict_images(Project(), files, "d1k/gemnet", True, torch.device("cpu"))
    first = next(lines)
    assert taken == files[:1] and not capsys.readouterr().err
    second = next(lines)
    assert taken == files[:3] and capsys.readouterr().err == "skipped 'b.png': it is broken\n"
    records = json.loads("\n".join([first, second, *lines]))
    assert [record["file"] for record in records] == ["a.png", "c.png", "d.png"]
    assert capsys.readouterr().err == "1 of 4 images skipped\n"
    words = predict_images(Project(), files, "d1k/gemnet", False, torch.device("cpu"))
    assert next(words).startswith("a.png: ") and taken[4:] == files[:1]
    assert [*words][-1].startswith("sure of 3 of 3")


def test_an_image_without_the_band_that_a_model_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "gemtrain.inference.prepare_images.map_in_order",
        lambda function, items, *_, **__: map(function, items),
    )
    Image.new("RGB", (40, 30)).save(tmp_path / "three.png")
    (found,) = prepare_images([tmp_path / "three.png"], 34, 4, None)
    assert found == Skipped(tmp_path / "three.png", "it has no fourth band, which this model needs")
