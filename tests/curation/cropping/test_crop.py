"""The whole stone, in the middle, in its own colour; the stage is resumable and the same every time."""

import csv
import hashlib
import io
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from benchmarks._shared import GEMS68
from curation.cropping.crop import crop
from curation.cropping.rembg_weights import fetch
from curation.cropping.segmentation import find_stone
from curation.cropping.square_crop import Crop, View, cut_stone, read_image, square_around, view_photo
from curation.imaging.centre_crop import cut_centre, stored_side
from curation.inspect.show import show
from curation.inspect.steps import steps
from curation.params import CropParams
from curation.tables import CLEAN, CROPS
from gemkit.errors import UserError
from gemkit.image_codec import decode_rgb
from gemkit.tables import read_table, write_table
from tests.helpers.dangerous import crop_or_crash
from tests.helpers.stone_pictures import CENTRE, RADIUS, disc, stone_picture

PARAMS = CropParams(removal="classical", size=112, margin=0.06)
TRUE_BOX = (CENTRE[0] - RADIUS, CENTRE[1] - RADIUS, CENTRE[0] + RADIUS + 1, CENTRE[1] + RADIUS + 1)
COLOURS = {"ruby": (180, 20, 50), "sapphire": (30, 80, 190), "emerald": (20, 140, 60)}


def iou(left: tuple[float, ...], right: tuple[float, ...]) -> float:
    width = min(left[2], right[2]) - max(left[0], right[0])
    height = min(left[3], right[3]) - max(left[1], right[1])
    both = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (left, right)]
    return both / (sum(areas) - both)


def crop_pixels(image: np.ndarray, params: CropParams = PARAMS) -> Crop:
    stone = find_stone(image, params.removal, params.model, params.stones)
    return cut_stone(View(image, stone, 1), params)


@pytest.mark.parametrize("variety", COLOURS)
def test_the_stone_fills_the_visible_square_in_its_own_colour(variety: str) -> None:
    picture = stone_picture(COLOURS[variety])
    result = crop_pixels(picture)
    assert result.stone_box is not None
    assert iou(result.stone_box, TRUE_BOX) > 0.9
    left, top, right, bottom = result.crop_box
    assert right - left == bottom - top
    assert abs((right - left) - 1.12 * 2 * RADIUS) < 12
    assert result.image.shape == (158, 158, 3)
    assert result.mask_area == pytest.approx(disc().mean(), rel=0.1)
    visible = cut_centre(result.image, 112)
    assert np.abs(visible[36:76, 36:76].mean(axis=(0, 1)) - picture[disc(60)].mean(axis=0)).max() < 12


def test_a_picture_without_a_stone_is_kept_whole() -> None:
    picture = np.zeros((100, 160, 3), np.uint8) + np.array([90, 150, 210], np.uint8)
    result = crop_pixels(picture)
    assert (result.method, result.stone_box, result.mask_area) == ("original", None, None)
    assert result.crop_box == (0, -30, 160, 130)
    assert np.abs(result.image.astype(int) - (90, 150, 210)).max() <= 1  # also where nothing was


@pytest.mark.parametrize("background", ["black", "white", "transparent", "kept"])
def test_around_the_stone_is_what_was_asked_for_and_no_rim_of_the_old_background(background: str) -> None:
    backdrop = np.array([40, 230, 60], np.uint8)
    picture = np.where(disc()[..., None], np.array([200, 30, 60], np.uint8), backdrop)
    image = crop_pixels(picture, PARAMS.model_copy(update={"background": background})).image
    corners = image[[0, 0, -1, -1], [0, -1, 0, -1]]
    if background == "kept":
        assert (corners == backdrop).all()
        return
    expected = {"black": [0, 0, 0], "white": [255, 255, 255], "transparent": [0, 0, 0, 0]}[background]
    assert (corners == expected).all()
    if background == "transparent":
        alpha = image[..., 3:] / 255
        assert alpha.mean() == pytest.approx(
            disc().sum() / (TRUE_BOX[2] - TRUE_BOX[0]) ** 2 / 1.58**2, rel=0.05
        )
        assert 0 < ((alpha > 0.1) & (alpha < 0.9)).mean() < 0.05  # a soft edge, and a narrow one
        image = image[..., :3] * alpha
    red, green = image[..., 0].astype(int), image[..., 1].astype(int)
    assert (green - red).max() < 60  # 190 in the background
    assert ((green - red) > 30).mean() < 0.002


@pytest.mark.parametrize("turn", [None, 6])
def test_a_large_photo_is_decoded_reduced_and_cropped_at_the_same_place(
    tmp_path: Path, turn: int | None
) -> None:
    large = Image.fromarray(stone_picture(COLOURS["sapphire"])).resize((1440, 1440))
    exif = Image.Exif()
    if turn:
        exif[0x0112] = turn
        large = large.transpose(Image.Transpose.ROTATE_90)  # which the EXIF block undoes
    large.save(tmp_path / "large.jpg", quality=95, exif=exif)
    view = view_photo(tmp_path / "large.jpg", PARAMS)
    result = cut_stone(view, PARAMS)
    assert view.factor == 4
    assert result.stone_box is not None
    assert iou(result.stone_box, tuple(4 * edge for edge in TRUE_BOX)) > 0.93
    full = crop_pixels(read_image(tmp_path / "large.jpg").pixels)
    assert np.abs(result.image.astype(int) - full.image).mean() < 6


def test_a_small_stone_on_a_large_photo_is_cut_out_of_all_its_pixels(tmp_path: Path) -> None:
    stone = Image.fromarray(np.where(disc()[..., None], stone_picture(COLOURS["ruby"]), np.uint8(225)))
    picture = Image.new("RGB", (1808, 1808), (225, 225, 225))
    picture.paste(stone.resize((900, 900)), (500, 400))
    picture.save(tmp_path / "small.jpg", quality=95)
    assert read_image(tmp_path / "small.jpg", 452).factor == 4
    view = view_photo(tmp_path / "small.jpg", CropParams(removal="classical", size=160))
    assert (view.factor, view.image.shape) == (1, (1808, 1808, 3))
    assert view.stone.box is not None
    true_box = tuple(2.5 * edge + shift for edge, shift in zip(TRUE_BOX, (500, 400) * 2, strict=True))
    assert iou(view.stone.box, true_box) > 0.9


def test_a_stone_in_a_corner_gets_a_square_that_reaches_beyond() -> None:
    result = crop_pixels(stone_picture(COLOURS["emerald"])[70:, 100:])
    left, top, right, bottom = result.crop_box
    assert left < 0 or top < 0
    assert right - left == bottom - top
    assert result.image.shape == (158, 158, 3)


@pytest.mark.parametrize("size", [16, 96, 112, 224, 333])
def test_the_centre_of_a_stored_crop_is_in_the_middle(size: int) -> None:
    side = stored_side(size)
    assert abs(side - size * 2**0.5) < 2
    assert (side - size) % 2 == 0
    marked = np.zeros((side, side, 3), np.uint8)
    marked[(side - size) // 2 : (side + size) // 2, (side - size) // 2 : (side + size) // 2] = 1
    assert cut_centre(marked, size).min() == 1
    assert cut_centre(marked, size).shape == (size, size, 3)


def test_the_square_is_around_the_longer_side() -> None:
    assert square_around((10, 20, 110, 60), (200, 200, 3), 0.1) == (0, -20, 120, 100)
    assert square_around(None, (50, 30, 3), 0.1) == (-10, 0, 40, 50)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """A folder with raw pictures of which cleaning kept all but one; its rows."""
    monkeypatch.setenv("U2NET_HOME", str(fetch("u2netp").parent))
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("crop: {size: 64, margin: 0.06}")
    rows = []
    for number, (variety, colour) in enumerate(
        [*COLOURS.items(), ("ruby", (190, 30, 60)), ("ruby", (9, 9, 9))]
    ):
        path = Path("data/raw/shop/images") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(stone_picture(colour, seed=number)).save(path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append({
            "sha256": sha256, "path": f"shop/images/{number}.png", "variety": variety, "keep": number < 4,
        })  # fmt: skip
    rows.sort(key=lambda row: row["sha256"])
    write_table(Path("data/clean.parquet"), pa.Table.from_pylist(rows, CLEAN))
    return [row for row in rows if row["keep"]]


def test_the_steps_of_a_few_images_are_drawn(kept: list[dict]) -> None:
    assert steps(Path("params.yaml"))["images"] == len({row["variety"] for row in kept})
    picture = decode_rgb(Path("plots/canny_steps.png").read_bytes())
    assert picture.shape[0] > 3 * 160
    assert picture.shape[1] > 5 * 160


def test_the_stage_is_resumable_and_the_same_every_time(
    kept: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = crop(Path("params.yaml"))
    assert (summary["images"], summary["cropped now"]) == (4, 4)
    assert (summary["network"], summary["given up"]) == ("not needed", {})
    rows = read_table(Path("data/crops"), CROPS).to_pylist()
    assert [row["sha256"] for row in rows] == [row["sha256"] for row in kept]
    for row, source in zip(rows, kept, strict=True):
        pixels = decode_rgb(row["image"]["bytes"])
        assert pixels.shape == (stored_side(64), stored_side(64), 3)
        colour = cut_centre(pixels, 20).mean(axis=(0, 1))
        assert colour.argmax() == np.argmax(COLOURS[source["variety"]])  # red is still red
        assert iou(tuple(row["stone_box"]), TRUE_BOX) > 0.9
    first = Path("data/crops/00000.parquet").read_bytes()
    assert crop(Path("params.yaml"))["cropped now"] == 0
    assert Path("data/crops/00000.parquet").read_bytes() == first
    (Path(".cache") / "crop.sqlite").unlink()
    monkeypatch.setattr("gemkit.executor.local.worker_count", lambda: 1)
    assert crop(Path("params.yaml"))["cropped now"] == 4
    assert Path("data/crops/00000.parquet").read_bytes() == first
    Path("params.yaml").write_text(
        "crop: {size: 64, margin: 0.06, background: transparent}\nlimits: {crop: {seconds: 30}}"
    )
    assert crop(Path("params.yaml"))["cropped now"] == 4
    image = read_table(Path("data/crops"), CROPS).to_pylist()[0]["image"]
    assert image["path"].endswith(".png")
    assert Image.open(io.BytesIO(image["bytes"])).mode == "RGBA"


def test_the_network_is_loaded_where_it_is_asked_for(kept: list[dict]) -> None:
    Path("params.yaml").write_text("crop: {size: 64, removal: rembg}")
    summary = crop(Path("params.yaml"))
    assert summary["network"].endswith("ExecutionProvider")
    assert all(method.startswith("rembg") for method in summary["methods"])


def test_an_image_that_crashes_its_worker_is_kept_whole_and_named(
    kept: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = Path("data/raw") / kept[1]["path"]
    with bad.open("ab") as file:
        file.write(b"crash")
    with monkeypatch.context() as patched:
        patched.setattr("curation.cropping.crop.crop_photo", crop_or_crash)
        summary = crop(Path("params.yaml"))
    assert summary["given up"] == {str(bad): "crashed (SIGSEGV)"}
    assert summary["cropped now"] == 3
    rows = read_table(Path("data/crops"), CROPS).to_pylist()
    assert [row["method"] == "original" for row in rows] == [False, True, False, False]
    assert np.abs(decode_rgb(rows[1]["image"]["bytes"]).mean() - read_image(bad).pixels.mean()) < 15
    assert crop(Path("params.yaml"))["cropped now"] == 1  # tried again


def test_bad_input_is_one_sentence(kept: list[dict]) -> None:
    Path("params.yaml").write_text("crop: {size: 64, model: u3net}")
    with pytest.raises(UserError, match="u3net"):
        crop(Path("params.yaml"))
    Path("params.yaml").write_text("crop: {size: 64}")
    (Path("data/raw") / kept[0]["path"]).unlink()
    with pytest.raises(UserError, match=r"images/.*cannot be read"):
        crop(Path("params.yaml"))
    assert not Path("data/crops").exists()
    Path("broken.jpg").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"broken\.jpg.*cannot be decoded"):
        read_image(Path("broken.jpg"))
    rows = [{**row, "keep": False} for row in kept]
    write_table(Path("data/clean.parquet"), pa.Table.from_pylist(rows, CLEAN))
    with pytest.raises(UserError, match="keeps no image"):
        crop(Path("params.yaml"))


def test_one_image_is_shown_with_its_steps(kept: list[dict]) -> None:
    Path("params.yaml").write_text("crop: {size: 64, removal: classical}")
    path = Path("data/raw") / kept[0]["path"]
    found = show(path, Path("params.yaml"))
    assert iou(tuple(found["stone box"]), TRUE_BOX) > 0.9
    assert Image.open(found["written"]).size == (64, 64)
    assert found["written"] == f"{path.stem}-crop.png"
    found = show(path, Path("params.yaml"), steps=True, out=Path("out/strip.png"))
    assert found["written"] == "out/strip.png"
    width, height = Image.open("out/strip.png").size
    assert width > 5 * height * 0.8
    with pytest.raises(UserError, match=r"nothing\.jpg"):
        show(Path("nothing.jpg"), Path("params.yaml"))


@pytest.mark.skipif(not (GEMS68 / "train_boxes.csv").exists(), reason="the real photos are not here")
def test_real_stones_are_boxed_as_people_boxed_them() -> None:
    with (GEMS68 / "train_boxes.csv").open() as file:
        rows = random.Random(9).sample(list(csv.DictReader(file)), 24)
    params = CropParams(size=112)
    scores = []
    for row in rows:
        result = cut_stone(view_photo(GEMS68 / "train" / row["file"], params), params)
        box = result.stone_box or result.crop_box
        scores.append(iou(box, tuple(int(row[edge]) for edge in ("x0", "y0", "x1", "y1"))))
    print(f"mean IoU {np.mean(scores):.3f}, at least 0.8 on {np.mean(np.array(scores) >= 0.8):.1%}")
    assert np.mean(scores) > 0.9
    assert np.mean(np.array(scores) >= 0.8) > 0.9
