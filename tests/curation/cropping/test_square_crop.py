"""The whole stone is cut out into the middle of a square, in its own colour."""

import csv
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks._shared import GEMS68
from curation.cropping.params import CropParams
from curation.cropping.segmentation import find_stone
from curation.cropping.square_crop import (
    Crop,
    SegmentedImage,
    cut_stone,
    read_image,
    segment_file,
    square_around,
)
from curation.imaging.centre_crop import cut_centre
from tests.helpers.stone_images import COLOURS, RADIUS, TRUE_BOX, disc, iou, stone_image

PARAMS = CropParams(removal="classical", size=112, margin=0.06)


def crop_pixels(image: np.ndarray, params: CropParams = PARAMS) -> Crop:
    stone = find_stone(image, params.removal, params.model, params.stones)
    return cut_stone(SegmentedImage(image, stone, 1), params)


@pytest.mark.parametrize("variety", COLOURS)
def test_the_stone_fills_the_visible_square_and_keeps_its_colour(variety: str) -> None:
    image = stone_image(COLOURS[variety])
    result = crop_pixels(image)
    assert result.stone_box is not None
    assert iou(result.stone_box, TRUE_BOX) > 0.9
    left, top, right, bottom = result.crop_box
    assert right - left == bottom - top
    assert abs((right - left) - 1.12 * 2 * RADIUS) < 12
    assert result.image.shape == (158, 158, 3)
    assert result.mask_area == pytest.approx(disc().mean(), rel=0.1)
    visible = cut_centre(result.image, 112)
    assert np.abs(visible[36:76, 36:76].mean(axis=(0, 1)) - image[disc(60)].mean(axis=0)).max() < 12


def test_an_image_without_a_stone_is_kept_whole() -> None:
    image = np.zeros((100, 160, 3), np.uint8) + np.array([90, 150, 210], np.uint8)
    result = crop_pixels(image)
    assert (result.method, result.stone_box, result.mask_area) == ("original", None, None)
    assert result.crop_box == (0, -30, 160, 130)
    assert np.abs(result.image.astype(int) - (90, 150, 210)).max() <= 1  # also beyond the image


@pytest.mark.parametrize("background", ["black", "white", "transparent", "kept"])
def test_the_background_is_replaced_without_a_halo(background: str) -> None:
    backdrop = np.array([40, 230, 60], np.uint8)
    image = np.where(disc()[..., None], np.array([200, 30, 60], np.uint8), backdrop)
    image = crop_pixels(image, PARAMS.model_copy(update={"background": background})).image
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
    segmented = segment_file(tmp_path / "large.jpg", PARAMS)
    result = cut_stone(segmented, PARAMS)
    assert segmented.factor == 4
    assert result.stone_box is not None
    assert iou(result.stone_box, tuple(4 * edge for edge in TRUE_BOX)) > 0.93
    full = crop_pixels(read_image(tmp_path / "large.jpg").pixels)
    assert np.abs(result.image.astype(int) - full.image).mean() < 6


def test_a_small_stone_in_a_large_image_is_cut_at_full_resolution(tmp_path: Path) -> None:
    stone = Image.fromarray(np.where(disc()[..., None], stone_image(COLOURS["ruby"]), np.uint8(225)))
    image = Image.new("RGB", (1808, 1808), (225, 225, 225))
    image.paste(stone.resize((900, 900)), (500, 400))
    image.save(tmp_path / "small.jpg", quality=95)
    assert read_image(tmp_path / "small.jpg", 452).factor == 4
    segmented = segment_file(tmp_path / "small.jpg", CropParams(removal="classical", size=160))
    assert (segmented.factor, segmented.image.shape) == (1, (1808, 1808, 3))
    assert segmented.stone.box is not None
    true_box = tuple(2.5 * edge + shift for edge, shift in zip(TRUE_BOX, (500, 400) * 2, strict=True))
    assert iou(segmented.stone.box, true_box) > 0.9


def test_the_square_of_a_stone_in_a_corner_extends_beyond_the_image() -> None:
    result = crop_pixels(stone_image(COLOURS["emerald"])[70:, 100:])
    left, top, right, bottom = result.crop_box
    assert left < 0 or top < 0
    assert right - left == bottom - top
    assert result.image.shape == (158, 158, 3)


def test_the_square_has_the_longer_side_of_the_box() -> None:
    assert square_around((10, 20, 110, 60), (200, 200, 3), 0.1) == (0, -20, 120, 100)
    assert square_around(None, (50, 30, 3), 0.1) == (-10, 0, 40, 50)


@pytest.mark.skipif(not (GEMS68 / "train_boxes.csv").exists(), reason="the real images are missing")
def test_boxes_of_real_stones_match_published_boxes() -> None:
    with (GEMS68 / "train_boxes.csv").open() as file:
        rows = random.Random(9).sample(list(csv.DictReader(file)), 24)
    params = CropParams(size=112)
    scores = []
    for row in rows:
        result = cut_stone(segment_file(GEMS68 / "train" / row["file"], params), params)
        box = result.stone_box or result.crop_box
        scores.append(iou(box, tuple(int(row[edge]) for edge in ("x0", "y0", "x1", "y1"))))
    print(f"mean IoU {np.mean(scores):.3f}, at least 0.8 on {np.mean(np.array(scores) >= 0.8):.1%}")
    assert np.mean(scores) > 0.9
    assert np.mean(np.array(scores) >= 0.8) > 0.9
