"""Untrusted images: what an imported dataset stores of them, or why it refuses them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from gemtrain.data.pixel_cache import decode_one
from gemtrain.importers.normalise import NormalisedImage, Undecodable, normalise
from tests.helpers.class_folders import coloured_image, encoded


def normalised(content: bytes | np.ndarray) -> tuple[np.ndarray, NormalisedImage]:
    """The pixels of a normalised image, decoded at its own size, and the image."""
    result = normalise(content)
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
def test_formats_preserve_the_pixels_and_copies_are_recognised(
    kind: str, options: dict[str, Any], kept: bool
) -> None:
    pixels = coloured_image(1, 1)
    found, result = normalised(encoded(pixels, kind, **options))
    assert np.array_equal(found, pixels)
    assert (result.content == encoded(pixels, kind, **options)) == kept
    assert result.pixel_hash == normalised(pixels)[1].pixel_hash


def test_common_images_keep_their_bytes_and_unusual_ones_are_normalised() -> None:
    pixels = coloured_image(1, 1, 32)
    image = encoded(pixels, "JPEG", quality=95)
    assert normalised(image)[1].content == image
    assert normalised(encoded(Image.fromarray(pixels).convert("L"), "JPEG"))[0].ndim == 2

    turned = Image.Exif()
    turned[0x0112] = 6
    found, result = normalised(encoded(pixels[:20], "JPEG", quality=95, exif=turned))
    assert found.shape == (32, 20, 3) and result.content.startswith(b"\x89PNG")
    assert result.pixel_hash == normalised(encoded(pixels[:20], "JPEG", quality=95))[1].pixel_hash

    layer = np.dstack([pixels, np.full((32, 32), 255, np.uint8)])
    layer[:16, :, 3] = 0
    found, _ = normalised(encoded(layer))
    assert (found[:16] == 255).all() and np.array_equal(found[16:], pixels[16:])

    palette = Image.fromarray(pixels).quantize(16)
    found, _ = normalised(encoded(palette, "GIF"))
    assert np.array_equal(found, np.asarray(palette.convert("RGB")))

    found, _ = normalised(encoded(Image.fromarray(pixels).convert("CMYK"), "JPEG"))
    assert found.shape == (32, 32, 3) and np.abs(found.mean((0, 1)) - pixels.mean((0, 1))).max() < 40


def test_a_colour_profile_is_applied_and_copies_without_it_are_recognised() -> None:
    pixels = coloured_image(0, 1)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = encoded(pixels, icc_profile=lab)
    assert normalised(plain)[1].content == plain
    wide = bytearray(lab)
    place = wide.index(b"rXYZ", 128)
    place = int.from_bytes(wide[place + 4 : place + 8])
    wide[place + 8 : place + 12] = (60_000).to_bytes(4)  # a red of twice the strength
    found, result = normalised(encoded(pixels, icc_profile=bytes(wide)))
    assert np.abs(found.astype(int) - pixels).max() > 10
    assert result.pixel_hash == normalised(plain)[1].pixel_hash


def test_16_bits_are_reduced_to_the_higher_8() -> None:
    grey = (coloured_image(1, 1)[..., 0].astype(np.uint16) << 8) + 7
    found, _ = normalised(encoded(grey, "TIFF"))
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
def test_the_fourth_band_of_a_tiff_is_unchanged(
    depth: int, photometric: int, extra: tuple[int, ...] | None
) -> None:
    bands = coloured_image(0, 1, bands=4)
    wide = bands if depth == 8 else (bands.astype(np.uint16) << 8) + 9
    found, result = normalised(tiff(wide, photometric, extra))
    assert np.array_equal(found, bands)
    assert np.array_equal(decode_one(result.content, 28, 3), bands[..., :3])
    assert np.array_equal(decode_one(result.content, 28, 4), bands)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"II*\0",
        b"<html>",
        encoded(coloured_image(0, 0))[:200],
        tiff(coloured_image(0, 0), 2, None)[:900],
    ],
)
def test_what_is_not_an_image_gives_a_reason(content: bytes) -> None:
    result = normalise(content)
    assert isinstance(result, Undecodable) and result.kind
    assert result.text and "\n" not in result.text and "0x" not in result.text


def test_the_kind_of_a_failure_is_kept(tmp_path: Path) -> None:
    failures = [normalise(b""), normalise(tmp_path / "none.png")]
    assert failures == [
        Undecodable("empty_file", "the file is empty"),
        Undecodable("unreadable", "No such file or directory"),
    ]


@settings(deadline=None, max_examples=80)
@given(st.sampled_from(["tiff", "PNG", "JPEG", "GIF"]), st.data())
def test_corrupted_files_give_an_image_or_a_reason(kind: str, data: st.DataObject) -> None:
    pixels = coloured_image(0, 1, 8, bands=4)
    content = bytearray(tiff(pixels, 2, (0,)) if kind == "tiff" else encoded(pixels[..., :3], kind))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    result = normalise(bytes(content[: data.draw(st.integers(0, len(content)))]))
    if isinstance(result, NormalisedImage):
        assert decode_one(result.content, 8, 3).shape == (8, 8, 3)
    else:
        assert result.text and "\n" not in result.text
