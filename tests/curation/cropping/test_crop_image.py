"""The whole stone of an image is cut out into the middle of a square, in its own colour."""

import csv
import json
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks._shared import GEMS68
from curation import CropParams, crop_image
from curation.cropping.crop_image import CropRecord, crop_file, read_image
from gemkit.errors import UserError
from tests.helpers.stone_images import COLOURS, RADIUS, TRUE_BOX, disc, iou, stone_image

PARAMS = CropParams(removal="classical", size=112, margin=0.06)


@pytest.mark.parametrize("variety", COLOURS)
def test_the_stone_fills_the_visible_square_and_keeps_its_colour(variety: str) -> None:
    image = stone_image(COLOURS[variety])
    result = crop_image(image, PARAMS)
    record = result.record
    assert record.stone_box is not None
    assert iou(record.stone_box, TRUE_BOX) > 0.9
    left, top, right, bottom = record.crop_box
    assert right - left == bottom - top
    assert abs((right - left) - 1.12 * 2 * RADIUS) < 12
    assert result.image.shape == (158, 158, 3)
    assert record.mask_area == pytest.approx(disc().mean(), rel=0.1)
    visible = result.visible
    assert visible.shape == (112, 112, 3)
    assert np.abs(visible[36:76, 36:76].mean(axis=(0, 1)) - image[disc(60)].mean(axis=0)).max() < 12


def test_an_image_without_a_stone_is_kept_whole() -> None:
    image = np.zeros((100, 160, 3), np.uint8) + np.array([90, 150, 210], np.uint8)
    result = crop_image(image, PARAMS)
    assert result.record == CropRecord(None, (0, -30, 160, 130), "original", None, None)
    assert np.abs(result.image.astype(int) - (90, 150, 210)).max() <= 1  # also beyond the image


@pytest.mark.parametrize("background", ["black", "white", "transparent", "kept"])
def test_the_background_is_replaced_without_a_halo(background: str) -> None:
    backdrop = np.array([40, 230, 60], np.uint8)
    image = np.where(disc()[..., None], np.array([200, 30, 60], np.uint8), backdrop)
    image = crop_image(image, PARAMS.model_copy(update={"background": background})).image
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
        assert 0 < ((alpha > 0.1) & (alpha < 0.9)).mean() < 0.05  # a soft and narrow edge
        image = image[..., :3] * alpha
    red, green = image[..., 0].astype(int), image[..., 1].astype(int)
    assert (green - red).max() < 60  # 190 in the background
    assert ((green - red) > 30).mean() < 0.002


@pytest.mark.parametrize("turn", [None, 6])
def test_a_large_image_is_decoded_reduced_and_cropped_at_the_same_position(
    tmp_path: Path, turn: int | None
) -> None:
    large = Image.fromarray(stone_image(COLOURS["sapphire"])).resize((1440, 1440))
    exif = Image.Exif()
    if turn:
        exif[0x0112] = turn
        large = large.transpose(Image.Transpose.ROTATE_90)  # which the EXIF block reverts
    large.save(tmp_path / "large.jpg", quality=95, exif=exif)
    result = crop_file(tmp_path / "large.jpg", PARAMS)
    assert result.factor == 4
    assert result.record.stone_box is not None
    assert iou(result.record.stone_box, tuple(4 * edge for edge in TRUE_BOX)) > 0.93
    full = crop_image(read_image(tmp_path / "large.jpg").pixels, PARAMS)
    assert np.abs(result.crop.image.astype(int) - full.image).mean() < 6


def test_a_small_stone_in_a_large_image_is_cut_at_full_resolution(tmp_path: Path) -> None:
    stone = Image.fromarray(np.where(disc()[..., None], stone_image(COLOURS["ruby"]), np.uint8(225)))
    image = Image.new("RGB", (1808, 1808), (225, 225, 225))
    image.paste(stone.resize((900, 900)), (500, 400))
    image.save(tmp_path / "small.jpg", quality=95)
    assert read_image(tmp_path / "small.jpg", 452).factor == 4
    result = crop_file(tmp_path / "small.jpg", CropParams(removal="classical", size=160))
    assert (result.factor, result.pixels.shape) == (1, (1808, 1808, 3))
    assert result.record.stone_box is not None
    true_box = tuple(2.5 * edge + shift for edge, shift in zip(TRUE_BOX, (500, 400) * 2, strict=True))
    assert iou(result.record.stone_box, true_box) > 0.9


def test_a_transparent_image_is_cropped_as_on_white() -> None:
    pixels = stone_image(COLOURS["ruby"])
    cut_out = np.dstack([pixels, disc().astype(np.uint8) * 255])
    on_white = np.where(disc()[..., None], pixels, np.uint8(255))
    result, expected = crop_image(cut_out, PARAMS), crop_image(on_white, PARAMS)
    assert (result.image == expected.image).all()
    assert result.record == expected.record
    assert result.record.stone_box is not None
    assert iou(result.record.stone_box, TRUE_BOX) > 0.9


@pytest.mark.parametrize("colour", [COLOURS["ruby"], None])
def test_a_record_survives_json(colour: tuple[int, int, int] | None) -> None:
    pixels = np.full((90, 90, 3), 128, np.uint8) if colour is None else stone_image(colour)
    record = crop_image(pixels, PARAMS).record
    assert CropRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_the_square_of_a_stone_in_a_corner_extends_beyond_the_image() -> None:
    result = crop_image(stone_image(COLOURS["emerald"])[70:, 100:], PARAMS)
    left, top, right, bottom = result.record.crop_box
    assert left < 0 or top < 0
    assert right - left == bottom - top
    assert result.image.shape == (158, 158, 3)


@pytest.mark.heavy
@pytest.mark.skipif(not (GEMS68 / "train_boxes.csv").exists(), reason="the real images are missing")
def test_boxes_of_real_stones_match_published_boxes() -> None:
    with (GEMS68 / "train_boxes.csv").open() as file:
        rows = random.Random(9).sample(list(csv.DictReader(file)), 24)
    params = CropParams(size=112)
    scores = []
    for row in rows:
        record = crop_file(GEMS68 / "train" / row["file"], params).record
        box = record.stone_box or record.crop_box
        scores.append(iou(box, tuple(int(row[edge]) for edge in ("x0", "y0", "x1", "y1"))))
    print(f"mean IoU {np.mean(scores):.3f}, at least 0.8 on {np.mean(np.array(scores) >= 0.8):.1%}")
    assert np.mean(scores) > 0.9
    assert np.mean(np.array(scores) >= 0.8) > 0.9


@pytest.mark.parametrize(
    ("pixels", "found"),
    [
        (np.zeros((9, 9), np.uint8), r"uint8 \[9, 9\]"),
        (np.zeros((0, 9, 3), np.uint8), r"uint8 \[0, 9, 3\]"),
        (np.zeros((9, 9, 3)), "float64"),
        ("photo.jpg", "not str"),
    ],
)
def test_pixels_of_another_form_are_one_sentence(pixels: object, found: str) -> None:
    with pytest.raises(UserError, match=found):
        crop_image(pixels)  # type: ignore[arg-type]
