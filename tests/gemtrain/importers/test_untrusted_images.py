"""Strangers' pictures: what a dataset keeps of them, and the pixels that are made of that."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from gemkit.errors import UserError
from gemtrain.data.dataset import Split
from gemtrain.data.pixel_cache import Images, decode_one
from gemtrain.importers.import_dataset import import_dataset
from gemtrain.importers.normalise import NormalisedImage, store
from gemtrain.models.lookup import build
from tests.helpers.class_folders import class_folders, encoded, picture
from tests.helpers.textures import make_dataset, write_rows


def stored(content: bytes | np.ndarray) -> tuple[np.ndarray, NormalisedImage]:
    """What a dataset keeps of a picture, as it is decoded from there at its own size."""
    result = store(content)
    assert isinstance(result, NormalisedImage), result
    with Image.open(io.BytesIO(result.content)) as image:
        return np.asarray(image), result


@pytest.mark.parametrize(
    ("kind", "options", "kept"),
    [
        ("PNG", {}, True),
        ("WEBP", {"lossless": True}, True),
        ("BMP", {}, False),
        ("TIFF", {}, False),
        ("TIFF", {"compression": "tiff_lzw"}, False),
    ],
)
def test_formats_keep_the_pixels_and_copies_are_known(kind: str, options: dict[str, Any], kept: bool) -> None:
    pixels = picture(1, 1)
    found, result = stored(encoded(pixels, kind, **options))
    assert np.array_equal(found, pixels)
    assert (result.content == encoded(pixels, kind, **options)) == kept
    assert result.pixel_hash == stored(pixels)[1].pixel_hash


def test_photos_keep_their_bytes_and_what_is_unusual_becomes_plain() -> None:
    pixels = picture(1, 1, 32)
    photo = encoded(pixels, "JPEG", quality=95)
    assert stored(photo)[1].content == photo
    assert stored(encoded(Image.fromarray(pixels).convert("L"), "JPEG"))[0].ndim == 2

    turned = Image.Exif()
    turned[0x0112] = 6
    found, result = stored(encoded(pixels[:20], "JPEG", quality=95, exif=turned))
    assert found.shape == (32, 20, 3) and result.content.startswith(b"\x89PNG")
    assert result.pixel_hash == stored(encoded(pixels[:20], "JPEG", quality=95))[1].pixel_hash

    layer = np.dstack([pixels, np.full((32, 32), 255, np.uint8)])
    layer[:16, :, 3] = 0
    found, _ = stored(encoded(layer))
    assert (found[:16] == 255).all() and np.array_equal(found[16:], pixels[16:])

    palette = Image.fromarray(pixels).quantize(16)
    found, _ = stored(encoded(palette, "GIF"))
    assert np.array_equal(found, np.asarray(palette.convert("RGB")))

    found, _ = stored(encoded(Image.fromarray(pixels).convert("CMYK"), "JPEG"))
    assert found.shape == (32, 32, 3) and np.abs(found.mean((0, 1)) - pixels.mean((0, 1))).max() < 40


def test_a_colour_profile_is_followed_and_copies_without_it_are_known() -> None:
    pixels = picture(0, 1)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = encoded(pixels, icc_profile=lab)
    assert stored(plain)[1].content == plain
    wide = bytearray(lab)
    place = wide.index(b"rXYZ", 128)
    place = int.from_bytes(wide[place + 4 : place + 8])
    wide[place + 8 : place + 12] = (60_000).to_bytes(4)  # a red of twice the strength
    found, result = stored(encoded(pixels, icc_profile=bytes(wide)))
    assert np.abs(found.astype(int) - pixels).max() > 10
    assert result.pixel_hash == stored(plain)[1].pixel_hash


def test_16_bits_are_read_by_the_higher_8() -> None:
    grey = (picture(1, 1)[..., 0].astype(np.uint16) << 8) + 7
    found, _ = stored(encoded(grey, "TIFF"))
    assert np.array_equal(found, np.dstack([grey >> 8] * 3))


def tiff(pixels: np.ndarray, photometric: int, extra: tuple[int, ...] | None) -> bytes:
    """An uncompressed little-endian TIFF of 8 or 16 bits, one strip."""
    height, width, bands = pixels.shape
    tags = [
        (256, 3, [width]),
        (257, 3, [height]),
        (258, 3, [pixels.itemsize * 8] * bands),
        (259, 3, [1]),
        (262, 3, [photometric]),
        (273, 4, None),
        (277, 3, [bands]),
        (278, 3, [height]),
        (279, 4, [pixels.nbytes]),
        *([(338, 3, list(extra))] if extra else []),
    ]
    entries, after = b"", b""
    start = 8 + 2 + 12 * len(tags) + 4
    beyond = sum(2 * len(values) for _, kind, values in tags if kind == 3 and values and len(values) > 2)
    for tag, kind, values in tags:
        values = [start + beyond] if values is None else values
        packed = np.array(values, "<u2" if kind == 3 else "<u4").tobytes()
        if len(packed) > 4:
            place = (start + len(after)).to_bytes(4, "little")
            after += packed
        else:
            place = packed.ljust(4, b"\0")
        entries += b"".join(value.to_bytes(2, "little") for value in (tag, kind))
        entries += len(values).to_bytes(4, "little") + place
    header = b"II*\0\x08\0\0\0" + len(tags).to_bytes(2, "little") + entries + bytes(4)
    return header + after + pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(
    ("photometric", "extra"), [(2, None), (2, (0,)), (2, (1,)), (2, (2,)), (1, (0, 0, 0))]
)
def test_the_fourth_band_of_a_tiff_is_kept_as_it_is(
    depth: int, photometric: int, extra: tuple[int, ...] | None
) -> None:
    bands = picture(0, 1, bands=4)
    wide = bands if depth == 8 else (bands.astype(np.uint16) << 8) + 9
    found, result = stored(tiff(wide, photometric, extra))
    assert np.array_equal(found, bands)
    assert np.array_equal(decode_one(result.content, 28, 3), bands[..., :3])
    assert np.array_equal(decode_one(result.content, 28, 4), bands)


@pytest.mark.parametrize(
    "content", [b"", b"II*\0", b"<html>", encoded(picture(0, 0))[:200], tiff(picture(0, 0), 2, None)[:900]]
)
def test_what_is_no_picture_is_a_reason(content: bytes) -> None:
    result = store(content)
    assert isinstance(result, str) and result and "\n" not in result and "0x" not in result


@settings(deadline=None, max_examples=80)
@given(st.sampled_from(["tiff", "PNG", "JPEG", "GIF"]), st.data())
def test_spoilt_files_are_pictures_or_reasons(kind: str, data: st.DataObject) -> None:
    pixels = picture(0, 1, 8, bands=4)
    content = bytearray(tiff(pixels, 2, (0,)) if kind == "tiff" else encoded(pixels[..., :3], kind))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    result = store(bytes(content[: data.draw(st.integers(0, len(content)))]))
    if isinstance(result, NormalisedImage):
        assert decode_one(result.content, 8, 3).shape == (8, 8, 3)
    else:
        assert result and "\n" not in result


# Pixels


def test_channels() -> None:
    content = store(picture(0, 1, bands=4))
    assert isinstance(content, NormalisedImage)
    rgb, grey, four = (decode_one(content.content, 40, channels) for channels in (3, 1, 4))
    assert (rgb.shape, grey.shape, four.shape) == ((40, 40, 3), (40, 40, 1), (40, 40, 4))
    # Pillow weighs colours with opacity when it resizes; a band is none.
    assert np.abs(four[..., :3].astype(int) - rgb).max() <= 1 and abs(four[..., 3].mean() - 30) < 5
    assert np.abs(grey[..., 0] - rgb @ np.array([0.299, 0.587, 0.114])).max() < 2
    model = build("gemnet", 3, 40, channels=4)
    assert model(torch.from_numpy(four).permute(2, 0, 1)[None].float()).shape == (1, 3)
    with pytest.raises(ValueError, match="no fourth band"):
        decode_one(encoded(picture(0, 1)), 40, 4)


@pytest.mark.parametrize(("height", "width"), [(10, 40), (40, 10), (40, 40), (1, 400), (2000, 1500)])
def test_proportions_are_kept_and_edges_repeated(height: int, width: int) -> None:
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


def test_pixels_that_the_disk_has_no_room_for(inline: Path) -> None:
    class_folders(inline / "gems")
    import_dataset("gems")
    with pytest.raises(UserError, match=r"take .* GB at 60000 pixels.*'image_size'"):
        Split("gems", "train").pixels(60_000)


def test_a_broken_image_in_a_dataset_is_left_out_and_named(
    here: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_dataset("gems")
    rows = pq.read_table("data/datasets/gems/train-00000.parquet").to_pylist()
    many = [{**row, "sha256": f"photo {number}"} for number, row in enumerate(3 * rows)]
    many[4] = {**many[4], "image": {"bytes": many[4]["image"]["bytes"][:60], "path": None}}
    write_rows("gems", "train", many)
    split = Split("gems", "train")
    said = capsys.readouterr().err
    assert f"1 of {len(many)} images" in said and "row 4 of 'data/datasets/gems/train-00000.parquet'" in said
    assert len(split) == len(split.labels) == len(split.groups) == len(split.pixels(32)) == len(many) - 1
    assert many[4]["sha256"] not in split.sha256s
    whole = Images(split.files, "gems train").pixels(48)
    assert np.abs(whole[4].astype(int) - decode_one(many[5]["image"]["bytes"], 48, 3)).max() == 0
