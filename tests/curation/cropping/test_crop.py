"""The stage is resumable and deterministic, and reports images that cannot be cropped."""

import io
import json

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
from gemkit.executor.base import Limits
from gemkit.image_codec import decode_rgb
from gemkit.project import Project
from gemkit.tables import read_table, write_table
from tests.helpers.dangerous import crop_or_crash
from tests.helpers.stone_images import COLOURS, TRUE_BOX, iou

SMALL = CropParams(size=64)


def test_the_stage_is_resumable_and_deterministic(
    home: Project, kept_images: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = crop(home, SMALL)
    assert (summary.images, summary.cropped_now) == (4, 4)
    assert (summary.providers, summary.given_up) == ([], {})
    rows = read_table(home.crops, CROPS).to_pylist()
    assert [row["sha256"] for row in rows] == [row["sha256"] for row in kept_images]
    for row, source in zip(rows, kept_images, strict=True):
        pixels = decode_rgb(row["image"]["bytes"])
        assert pixels.shape == (stored_side(64), stored_side(64), 3)
        colour = cut_centre(pixels, 20).mean(axis=(0, 1))
        assert colour.argmax() == np.argmax(COLOURS[source["variety"]])  # red is still red
        assert iou(tuple(row["stone_box"]), TRUE_BOX) > 0.9
    made = json.dumps({"version": VERSION, **SMALL.model_dump()}, indent=2)
    assert (home.crops / "crop.json").read_text() == made + "\n"
    first = (home.crops / "00000.parquet").read_bytes()
    assert crop(home, SMALL).cropped_now == 0
    assert (home.crops / "00000.parquet").read_bytes() == first
    (home.cache / "crop.sqlite").unlink()
    monkeypatch.setattr("gemkit.executor.local.worker_count", lambda: 1)
    assert crop(home, SMALL).cropped_now == 4
    assert (home.crops / "00000.parquet").read_bytes() == first
    transparent = CropParams(size=64, background="transparent")
    assert crop(home, transparent, Limits(seconds=30)).cropped_now == 4
    image = read_table(home.crops, CROPS).to_pylist()[0]["image"]
    assert image["path"].endswith(".png")
    assert Image.open(io.BytesIO(image["bytes"])).mode == "RGBA"


def test_the_network_is_used_if_the_parameters_ask_for_it(home: Project, kept_images: list[dict]) -> None:
    summary = crop(home, CropParams(size=64, removal="rembg"))
    assert [name.endswith("ExecutionProvider") for name in summary.providers] == [True]
    assert all(method.startswith("rembg") for method in summary.methods)


def test_an_image_that_crashes_its_worker_is_kept_whole_and_named(
    home: Project, kept_images: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = home.image(kept_images[1]["path"])
    with bad.open("ab") as file:
        file.write(b"crash")
    with monkeypatch.context() as patched:
        patched.setattr("curation.cropping.crop.crop_and_encode", crop_or_crash)
        summary = crop(home, SMALL)
    assert summary.given_up == {bad: "crashed (SIGSEGV)"}
    assert summary.cropped_now == 3
    rows = read_table(home.crops, CROPS).to_pylist()
    assert [row["method"] == "original" for row in rows] == [False, True, False, False]
    assert np.abs(decode_rgb(rows[1]["image"]["bytes"]).mean() - read_image(bad).pixels.mean()) < 15
    assert crop(home, SMALL).cropped_now == 1  # tried again


def test_invalid_input_is_reported(home: Project, kept_images: list[dict]) -> None:
    with pytest.raises(UserError, match="u3net"):
        crop(home, CropParams(size=64, model="u3net"))
    home.image(kept_images[0]["path"]).unlink()
    with pytest.raises(UserError, match=r"images/.*cannot be read"):
        crop(home, SMALL)
    assert not home.crops.exists()
    broken = home.path("broken.jpg")
    broken.write_bytes(b"no image")
    with pytest.raises(UserError, match=r"broken\.jpg.*cannot be decoded"):
        read_image(broken)
    rows = [{**row, "keep": False} for row in kept_images]
    write_table(home.clean_table, pa.Table.from_pylist(rows, CLEAN))
    with pytest.raises(UserError, match="keeps no image"):
        crop(home, SMALL)
