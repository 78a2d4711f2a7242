"""Measurements mean what they say; each image is measured once, and costs no other."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw

from curation.measurement.measure import StoredImage, measure, measure_image
from curation.measurement.pixel_statistics import measure_pixels, pixel_hash
from curation.params import MeasureParams
from curation.tables import MEASURED
from gemkit.errors import UserError
from gemkit.tables import read_table, write_table
from scraper.tables import IMAGES
from tests.helpers.commands import command
from tests.helpers.dangerous import measure_or_crash
from tests.helpers.encoded_images import encoded, half_red
from tests.helpers.project import set_param


def test_the_pixel_hash_is_of_the_pixels_and_their_shape() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert pixel_hash(pixels) == pixel_hash(pixels.copy())
    assert pixel_hash(pixels) != pixel_hash(pixels.reshape(4, 2, 3))
    assert pixel_hash(pixels) != pixel_hash(pixels[::-1])


def test_measurements_mean_what_they_say() -> None:
    grey = np.full((300, 300, 3), 119, np.uint8)
    flat = measure_pixels(grey)
    assert flat["brightness"] == pytest.approx(50, abs=0.5)  # sRGB 119 is L* 50
    assert flat["contrast"] == pytest.approx(0, abs=1e-3)
    assert flat["sharpness"] == 0
    assert flat["background_uniformity"] == pytest.approx(1, abs=1e-3)
    assert flat["skin_share"] == 0
    hand = grey.copy()
    hand[150:, 60:240] = (208, 156, 122)
    measured = measure_pixels(hand)
    assert measured["skin_region_share"] == pytest.approx(0.3, abs=0.02)
    assert measured["skin_border_share"] == pytest.approx(180 / 1200, abs=0.02)
    floating = grey.copy()
    floating[80:200, 60:240] = (208, 156, 122)
    assert measure_pixels(floating)["skin_region_share"] == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (3, 2), (700, 2)])
def test_the_smallest_shapes_are_measured(shape: tuple[int, int]) -> None:
    assert measure_pixels(np.zeros((*shape, 3), np.uint8))["width"] == shape[1]


@pytest.mark.heavy
def test_printed_text_is_seen(tmp_path: Path) -> None:
    paper = Image.new("RGB", (400, 400), "white")
    draw = ImageDraw.Draw(paper)
    for line in range(8):
        draw.text((40, 40 + 40 * line), f"Certificate of origin {line}", fill="black", font_size=20)
    paper.save(tmp_path / "paper.png")
    half_red(400, 400).save(tmp_path / "plain.png")
    boxes = {
        name: measure_image(StoredImage(name, tmp_path / f"{name}.png"), MeasureParams())["text_boxes"]
        for name in ("paper", "plain")
    }
    assert boxes["paper"] >= 5
    assert boxes["plain"] < 3


def store_images(raw: Path, contents: list[bytes]) -> None:
    """A site's raw table with one image for each content."""
    rows = []
    for number, content in enumerate(contents):
        (raw / "images").mkdir(parents=True, exist_ok=True)
        (raw / f"images/{number}.png").write_bytes(content)
        rows.append({"site": raw.name, "sha256": f"{number}" * 64, "path": f"images/{number}.png"})
    rows += [rows[0], {"site": raw.name, "sha256": None, "path": None}]
    write_table(raw / "images.parquet", pa.Table.from_pylist(rows, IMAGES))


@pytest.mark.heavy
def test_an_image_is_measured_once(workspace: Path) -> None:
    raw = workspace / "data/raw/shop"
    store_images(raw, [encoded(half_red(120 + side, 100)) for side in range(3)] + [b"no image"])
    params = workspace / "params.yaml"
    assert measure("shop", params)["measured now"] == 4
    first = (workspace / "data/measured/shop.parquet").read_bytes()
    assert measure("shop", params)["measured now"] == 0
    assert (workspace / "data/measured/shop.parquet").read_bytes() == first
    table = read_table(workspace / "data/measured/shop.parquet", MEASURED).to_pylist()
    assert [row["width"] for row in table] == [120, 121, 122, None]
    assert [bool(row["error"]) for row in table] == [False, False, False, True]
    assert len(table[0]["thumbnail"]) == 16 * 16 * 3
    set_param(workspace, "limits.measure.seconds", 30)
    assert measure("shop", params)["measured now"] == 0, "what an image may take changes no result"

    (raw / "images/1.png").unlink()
    set_param(workspace, "measure.text_side", 160)
    with pytest.raises(UserError, match=r"images/1\.png"):
        measure("shop", params)


@pytest.mark.heavy
def test_an_image_that_crashes_its_worker_costs_no_other(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [encoded(half_red(120 + side, 100)) for side in range(6)]
    contents[3] += b"crash"
    store_images(workspace / "data/raw/shop", contents)
    params, table = workspace / "params.yaml", workspace / "data/measured/shop.parquet"
    with monkeypatch.context() as context:
        context.setattr("curation.measurement.measure.measure_image", measure_or_crash)
        summary = measure("shop", params)
    rows = read_table(table, MEASURED).to_pylist()
    assert [row["width"] for row in rows] == [120, 121, 122, None, 124, 125]
    assert rows[3]["error"] == "measuring it crashed (SIGSEGV)"
    assert rows[3]["bytes"] == len(contents[3])
    assert (summary["measured now"], summary["given up"]) == (5, 1)

    # It stands in the table, but the next run tries it again.
    summary = measure("shop", params)
    assert (summary["measured now"], summary["given up"]) == (1, 0)
    assert [row["width"] for row in read_table(table, MEASURED).to_pylist()] == list(range(120, 126))


def test_a_site_that_was_not_crawled(workspace: Path) -> None:
    said = command("gemcurate", "measure", "--site", "nowhere", cwd=workspace, expect=2).stderr
    assert "gemscrape crawl --site nowhere" in said
