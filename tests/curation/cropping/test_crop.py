"""The stage is resumable and deterministic, and reports images that cannot be cropped."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from curation.cropping.crop import VERSION, crop
from curation.cropping.crop_image import read_image
from curation.cropping.params import CropParams
from curation.imaging.centre_crop import cut_centre, stored_side
from curation.tables import CLEAN, CROPS
from gemkit.errors import UserError
from gemkit.image_codec import decode_rgb
from gemkit.tables import read_table, write_table
from tests.helpers.dangerous import crop_or_crash
from tests.helpers.stone_images import COLOURS, TRUE_BOX, iou


def test_the_stage_is_resumable_and_deterministic(
    kept_images: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = crop(Path("params.yaml"))
    assert (summary.images, summary.cropped_now) == (4, 4)
    assert (summary.providers, summary.given_up) == ([], {})
    rows = read_table(Path("data/crops"), CROPS).to_pylist()
    assert [row["sha256"] for row in rows] == [row["sha256"] for row in kept_images]
    for row, source in zip(rows, kept_images, strict=True):
        pixels = decode_rgb(row["image"]["bytes"])
        assert pixels.shape == (stored_side(64), stored_side(64), 3)
        colour = cut_centre(pixels, 20).mean(axis=(0, 1))
        assert colour.argmax() == np.argmax(COLOURS[source["variety"]])  # red is still red
        assert iou(tuple(row["stone_box"]), TRUE_BOX) > 0.9
    made = json.dumps({"version": VERSION, **CropParams(size=64).model_dump()}, indent=2)
    assert Path("data/crops/crop.json").read_text() == made + "\n"
    first = Path("data/crops/00000.parquet").read_bytes()
    assert crop(Path("params.yaml")).cropped_now == 0
    assert Path("data/crops/00000.parquet").read_bytes() == first
    (Path(".cache") / "crop.sqlite").unlink()
    monkeypatch.setattr("gemkit.executor.local.worker_count", lambda: 1)
    assert crop(Path("params.yaml")).cropped_now == 4
    assert Path("data/crops/00000.parquet").read_bytes() == first
    Path("params.yaml").write_text(
        "crop: {size: 64, margin: 0.06, background: transparent}\nlimits: {crop: {seconds: 30}}"
    )
    assert crop(Path("params.yaml")).cropped_now == 4
    image = read_table(Path("data/crops"), CROPS).to_pylist()[0]["image"]
    assert image["path"].endswith(".png")
    assert Image.open(io.BytesIO(image["bytes"])).mode == "RGBA"


def test_the_network_is_used_if_the_parameters_ask_for_it(kept_images: list[dict]) -> None:
    Path("params.yaml").write_text("crop: {size: 64, removal: rembg}")
    summary = crop(Path("params.yaml"))
    assert [name.endswith("ExecutionProvider") for name in summary.providers] == [True]
    assert all(method.startswith("rembg") for method in summary.methods)


def test_an_image_that_crashes_its_worker_is_kept_whole_and_named(
    kept_images: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = Path("data/raw") / kept_images[1]["path"]
    with bad.open("ab") as file:
        file.write(b"crash")
    with monkeypatch.context() as patched:
        patched.setattr("curation.cropping.crop.crop_and_encode", crop_or_crash)
        summary = crop(Path("params.yaml"))
    assert summary.given_up == {bad: "crashed (SIGSEGV)"}
    assert summary.cropped_now == 3
    rows = read_table(Path("data/crops"), CROPS).to_pylist()
    assert [row["method"] == "original" for row in rows] == [False, True, False, False]
    assert np.abs(decode_rgb(rows[1]["image"]["bytes"]).mean() - read_image(bad).pixels.mean()) < 15
    assert crop(Path("params.yaml")).cropped_now == 1  # tried again


def test_invalid_input_is_reported(kept_images: list[dict]) -> None:
    Path("params.yaml").write_text("crop: {size: 64, model: u3net}")
    with pytest.raises(UserError, match="u3net"):
        crop(Path("params.yaml"))
    Path("params.yaml").write_text("crop: {size: 64}")
    (Path("data/raw") / kept_images[0]["path"]).unlink()
    with pytest.raises(UserError, match=r"images/.*cannot be read"):
        crop(Path("params.yaml"))
    assert not Path("data/crops").exists()
    Path("broken.jpg").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"broken\.jpg.*cannot be decoded"):
        read_image(Path("broken.jpg"))
    rows = [{**row, "keep": False} for row in kept_images]
    write_table(Path("data/clean.parquet"), pa.Table.from_pylist(rows, CLEAN))
    with pytest.raises(UserError, match="keeps no image"):
        crop(Path("params.yaml"))
