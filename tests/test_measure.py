"""Images of strangers are decoded or refused with a reason; each is measured once."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import command
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from curation.images import ImageError, decode
from curation.measure import measure, measure_file
from curation.measurements import measure_pixels, pixel_hash
from curation.tables import MEASURED
from gemkit.errors import UserError
from gemkit.tables import read_table, write_table
from scraper.tables import IMAGES


def encoded(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, file_format, **options)
    return content.getvalue()


def half_red(width: int = 40, height: int = 20) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, width // 2, height))
    return image


@pytest.mark.parametrize(
    "content",
    [
        encoded(half_red()),
        encoded(half_red(), "WEBP", lossless=True),
        encoded(half_red(), "BMP"),
        encoded(half_red(), "GIF"),
        encoded(half_red().convert("P", palette=Image.Palette.ADAPTIVE)),
        encoded(half_red().convert("RGBA")),
        encoded(half_red().convert("CMYK"), "JPEG", quality=95),
        encoded(half_red(), "JPEG", quality=95, subsampling=0),
        encoded(half_red(), "TIFF"),
    ],
    ids=["png", "webp", "bmp", "gif", "palette", "alpha", "cmyk", "jpeg", "tiff"],
)
def test_every_kind_of_file_becomes_the_same_pixels(content: bytes) -> None:
    pixels = decode(content).pixels
    assert pixels.shape == (20, 40, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels[10, 5].astype(int) - (255, 0, 0)).max() < 12
    assert np.abs(pixels[10, 35].astype(int) - (0, 0, 255)).max() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_undone(orientation: int) -> None:
    # Undo what a viewer would do to get the file's pixels, then expect the upright picture back.
    upright = half_red()
    stored = {
        1: lambda image: image,
        2: lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: lambda image: image.transpose(Image.Transpose.ROTATE_180),
        4: lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: lambda image: image.transpose(Image.Transpose.TRANSPOSE),
        6: lambda image: image.transpose(Image.Transpose.ROTATE_90),
        7: lambda image: image.transpose(Image.Transpose.TRANSVERSE),
        8: lambda image: image.transpose(Image.Transpose.ROTATE_270),
    }[orientation](upright)
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(decode(encoded(stored, exif=exif)).pixels, np.asarray(upright))


def test_transparency_lies_on_white_and_16_bits_keep_their_range() -> None:
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert (decode(encoded(clear)).pixels == 255).all()
    grey = Image.fromarray(np.array([[0, 32_768, 65_535]], np.uint16))
    assert decode(encoded(grey)).pixels[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"<html>not here</html>", "cannot identify"),
        (encoded(half_red(400, 400), "JPEG")[:700], "truncated"),
        (encoded(Image.new("L", (9_000, 8_000))), "9000×8000"),
    ],
)
def test_what_is_no_image_says_why(content: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        decode(content)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_damaged_bytes_never_crash(data: st.DataObject) -> None:
    whole = bytearray(encoded(half_red(), data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "TIFF"]))))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        pixels = decode(bytes(whole)).pixels
    except ImageError as error:
        assert str(error)
    else:
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3


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


def test_printed_text_is_seen(tmp_path: Path) -> None:
    paper = Image.new("RGB", (400, 400), "white")
    draw = ImageDraw.Draw(paper)
    for line in range(8):
        draw.text((40, 40 + 40 * line), f"Certificate of origin {line}", fill="black", font_size=20)
    paper.save(tmp_path / "paper.png")
    half_red(400, 400).save(tmp_path / "plain.png")
    assert measure_file(tmp_path / "paper.png", 320)["text_boxes"] >= 5
    assert measure_file(tmp_path / "plain.png", 320)["text_boxes"] < 3


def test_an_image_is_measured_once(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = workspace / "data/raw/shop"
    contents = [encoded(half_red(120 + side, 100)) for side in range(3)] + [b"no image"]
    rows = []
    for number, content in enumerate(contents):
        (raw / "images").mkdir(parents=True, exist_ok=True)
        (raw / f"images/{number}.png").write_bytes(content)
        rows.append({"site": "shop", "sha256": f"{number}" * 64, "path": f"images/{number}.png"})
    rows += [rows[0], {"site": "shop", "sha256": None, "path": None}]
    write_table(raw / "images.parquet", pa.Table.from_pylist(rows, IMAGES))
    params = workspace / "params.yaml"
    assert measure("shop", params)["measured now"] == 4
    first = (workspace / "data/measured/shop.parquet").read_bytes()
    assert measure("shop", params)["measured now"] == 0
    assert (workspace / "data/measured/shop.parquet").read_bytes() == first
    table = read_table(workspace / "data/measured/shop.parquet", MEASURED).to_pylist()
    assert [row["width"] for row in table] == [120, 121, 122, None]
    assert [bool(row["error"]) for row in table] == [False, False, False, True]
    assert len(table[0]["phash256"]) == 32

    (raw / "images/1.png").unlink()
    params.write_text(params.read_text().replace("text_side: 320", "text_side: 160"))
    with pytest.raises(UserError, match=r"images/1\.png"):
        measure("shop", params)


def test_a_site_that_was_not_crawled(workspace: Path) -> None:
    said = command("gemcurate", "measure", "--site", "nowhere", cwd=workspace, expect=2).stderr
    assert "gemscrape crawl --site nowhere" in said
