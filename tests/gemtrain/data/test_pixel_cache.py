"""Decoding a split's images into pixels, and images that cannot be decoded."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from gemkit.errors import UserError
from gemkit.project import Project
from gemtrain.data.dataset import Split
from gemtrain.data.pixel_cache import Images, MissingBand, decode_one
from gemtrain.importers.import_dataset import import_dataset
from gemtrain.importers.normalise import NormalisedImage, normalise
from gemtrain.models.lookup import build
from tests.helpers.class_folders import class_folders, coloured_image, encoded
from tests.helpers.textures import make_dataset, texture, write_rows


def test_decoded_pixels_are_the_images(gems: Path) -> None:
    split = Split(Project(), "gems", "validation")
    pixels = split.pixels(48)
    assert pixels.shape == (12, 48, 48, 3) and pixels.dtype == torch.uint8
    difference = (pixels[5].int() - torch.from_numpy(texture(1, 101)).int()).abs().float().mean()
    assert difference < 12  # JPEG; red and blue swapped would be 50
    assert split.pixels(32).shape == (12, 32, 32, 3)
    stamp = next(Path(".cache/pixels").glob("gems-validation-48-*")).stat().st_mtime_ns
    Split(Project(), "gems", "validation").pixels(48)
    assert next(Path(".cache/pixels").glob("gems-validation-48-*")).stat().st_mtime_ns == stamp


@pytest.mark.heavy
def test_channels() -> None:
    content = normalise(coloured_image(0, 1, bands=4))
    assert isinstance(content, NormalisedImage)
    rgb, grey, four = (decode_one(content.content, 40, channels) for channels in (3, 1, 4))
    assert (rgb.shape, grey.shape, four.shape) == ((40, 40, 3), (40, 40, 1), (40, 40, 4))
    # Pillow premultiplies colours with opacity when it resizes; a band is not opacity.
    assert np.abs(four[..., :3].astype(int) - rgb).max() <= 1 and abs(four[..., 3].mean() - 30) < 5
    assert np.abs(grey[..., 0] - rgb @ np.array([0.299, 0.587, 0.114])).max() < 2
    model = build("gemnet", 3, 40, channels=4)
    assert model(torch.from_numpy(four).permute(2, 0, 1)[None].float()).shape == (1, 3)
    with pytest.raises(MissingBand):
        decode_one(encoded(coloured_image(0, 1)), 40, 4)


@pytest.mark.parametrize(("height", "width"), [(10, 40), (40, 10), (40, 40), (1, 400), (2000, 1500)])
def test_the_aspect_ratio_is_kept_and_edges_are_repeated(height: int, width: int) -> None:
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, width // 2 :] = 250
    found = decode_one(encoded(pixels), 40, 3)
    assert found.shape == (40, 40, 3)
    shown = max(1, round(40 * width / max(height, width)))
    start = (40 - shown) // 2
    if shown > 4:
        assert (found[:, : start + shown // 2 - 3] < 10).all() and (
            found[:, start + shown // 2 + 3 :] > 240
        ).all()


def test_pixels_that_do_not_fit_on_the_disk(inline: Path) -> None:
    class_folders(inline / "gems")
    import_dataset(Project(), "gems")
    with pytest.raises(UserError, match=r"take .* GB at 60000 pixels.*'image_size'"):
        Split(Project(), "gems", "train").pixels(60_000)


def test_an_undecodable_image_in_a_dataset_is_skipped_and_named(
    here: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_dataset("gems")
    rows = pq.read_table("data/datasets/gems/train-00000.parquet").to_pylist()
    many = [{**row, "sha256": f"image {number}"} for number, row in enumerate(3 * rows)]
    many[4] = {**many[4], "image": {"bytes": many[4]["image"]["bytes"][:60], "path": None}}
    write_rows("gems", "train", many)
    split = Split(Project(), "gems", "train")
    said = capsys.readouterr().err
    assert f"1 of {len(many)} images" in said and "row 4 of 'data/datasets/gems/train-00000.parquet'" in said
    assert len(split) == len(split.labels) == len(split.groups) == len(split.pixels(32)) == len(many) - 1
    assert many[4]["sha256"] not in split.sha256s
    whole = Images(Project(), split.files, "gems train").pixels(48)
    assert np.abs(whole[4].astype(int) - decode_one(many[5]["image"]["bytes"], 48, 3)).max() == 0


def test_undecodable_images_have_a_kind_that_is_remembered(here: Path) -> None:
    make_dataset("gems")
    path = Path("data/datasets/gems/train-00000.parquet")
    rows = pq.read_table(path).to_pylist()
    for row, content in ((1, b"<html>"), (3, rows[3]["image"]["bytes"][:60])):
        rows[row]["image"] = {"bytes": content, "path": None}
    write_rows("gems", "train", rows)
    checked, remembered = (Images(Project(), [path], "gems train") for _ in range(2))
    assert checked.undecodable == remembered.undecodable
    assert {row: (image.location, image.kind) for row, image in checked.undecodable.items()} == {
        1: (f"row 1 of '{path}'", "unknown_format"),
        3: (f"row 3 of '{path}'", "undecodable"),
    }
    assert str(checked.undecodable[1]) == f"row 1 of '{path}': not an image"
    assert checked.intact == [row for row in range(len(rows)) if row not in (1, 3)]


def test_a_dataset_without_the_band_that_a_recipe_needs(gems: Path) -> None:
    with pytest.raises(UserError, match=r"row 0 of '.*' has no fourth band; set the recipe's 'channels'"):
        Split(Project(), "gems", "test").pixels(32, 4)
