"""Untrusted images are decoded to upright sRGB pixels, or rejected with one clear reason."""

import pickle
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from gemkit.image_codec import (
    EmptyFile,
    ImageError,
    TooManyPixels,
    UndecodableImage,
    UnknownFormat,
    decode,
)
from tests.helpers.encoded_images import encoded, half_red

#: Red, green and blue of Display P3 and of sRGB in ICC's XYZ (D50).
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, bits: int, colour: int, rows: bytes, extra: bytes = b"") -> bytes:
    """Assemble a PNG. `colour`: 0 grey, 2 RGB, 4 grey and alpha, 6 RGBA; `extra`: other chunks."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + extra + data + chunk(b"IEND", b"")


def icc_profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile (version 2) for a colour space, with the given tags."""
    start = 132 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        table += name + struct.pack(">II", start + len(data), len(tag))
        data += tag + b"\0" * (-len(tag) % 4)
    connection = b"Lab " if space == b"CMYK" else b"XYZ "
    head = struct.pack(">I4sI4s4s4s", start + len(data), b"", 0x02400000, b"prtr", space, connection)
    white = xyz((0.9642, 1, 0.8249))[8:]
    head = (head.ljust(36, b"\0") + b"acsp").ljust(68, b"\0") + white
    return head.ljust(128, b"\0") + table + data


def xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def rgb_profile(primaries: tuple[tuple[float, ...], ...], gamma: float = 2.2) -> bytes:
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    colours = {name: xyz(value) for name, value in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    return icc_profile(b"RGB ", {**colours, **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)})


def cmyk_profile() -> bytes:
    """The profile of a press with four black inks: lightness 100 without ink, 0 with any ink."""
    table = b"".join(bytes([0 if number else 255, 128, 128]) for number in range(16))
    identity = struct.pack(">9i", *(65536 * (number % 4 == 0) for number in range(9)))
    ramp = bytes(range(256))
    return icc_profile(
        b"CMYK", {b"A2B0": b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + ramp * 4 + table + ramp * 3}
    )


@pytest.mark.parametrize(
    "content",
    [
        encoded(half_red()),
        encoded(half_red(), "WEBP", lossless=True),
        encoded(half_red(), "BMP"),
        encoded(half_red(), "GIF"),
        encoded(half_red(), "TIFF"),
        encoded(half_red(), "AVIF", quality=95, subsampling="4:4:4"),
        encoded(half_red(), "JPEG", quality=95, subsampling=0),
        encoded(half_red(), "JPEG", quality=95, subsampling=0, progressive=True),
        encoded(half_red(), "JPEG", quality=95, subsampling=0, exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
        encoded(half_red().convert("CMYK"), "JPEG", quality=95),
        encoded(half_red().convert("CMYK"), "TIFF"),
        encoded(half_red().convert("LAB"), "TIFF"),
        encoded(half_red().convert("RGBA")),
        encoded(half_red().convert("P", palette=Image.Palette.ADAPTIVE)),
        encoded(half_red(), "MPO", quality=95, save_all=True, append_images=[Image.new("RGB", (40, 20))]),
        encoded(half_red(), "GIF", save_all=True, append_images=[Image.new("RGB", (40, 20))] * 3),
        encoded(half_red(), "WEBP", lossless=True, save_all=True, append_images=[Image.new("RGB", (40, 20))]),
        encoded(half_red(), save_all=True, append_images=[Image.new("RGB", (40, 20))]),
        png(2, 1, 16, 2, b"\0" + struct.pack(">6H", 65535, 0, 0, 0, 0, 65535)),
        png(2, 1, 16, 6, b"\0" + struct.pack(">8H", 65535, 0, 0, 65535, 0, 0, 65535, 65535)),
        encoded(half_red(), icc_profile=b"nonsense"),
        encoded(half_red(), icc_profile=cmyk_profile()),
        encoded(half_red(), icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()),
    ],
    ids=[
        "png", "webp", "bmp", "gif", "tiff", "avif", "jpeg", "progressive", "broken_exif", "cmyk",
        "cmyk_tiff", "lab", "alpha", "palette", "mpo", "moving_gif", "moving_webp", "moving_png", "48_bits",
        "64_bits", "broken_profile", "profile_of_another_mode", "srgb_profile",
    ],
)  # fmt: skip
def test_every_format_decodes_to_the_same_pixels(content: bytes) -> None:
    pixels = decode(content).pixels
    height, width = pixels.shape[:2]
    assert (width, height) in {(40, 20), (2, 1)} and pixels.shape[2] == 3
    assert pixels.dtype == np.uint8
    assert np.abs(pixels[height // 2, width // 8].astype(int) - (255, 0, 0)).max() < 25
    assert np.abs(pixels[height // 2, -1].astype(int) - (0, 0, 255)).max() < 25


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF", "JPEG", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_undone(orientation: int, file_format: str) -> None:
    # Invert the rotation of a viewer to get the stored pixels; decoding must return the upright image.
    upright = half_red()
    upright.paste((0, 255, 0), (0, 0, 20, 10))
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
    pixels = decode(encoded(stored, file_format, quality=95, exif=exif)).pixels.astype(int)
    assert pixels.shape == (20, 40, 3)
    assert np.abs(pixels - np.asarray(upright, int)).mean() < (
        20 if file_format in {"JPEG", "WEBP", "AVIF"} else 1
    )


def test_transparent_pixels_are_composited_on_white() -> None:
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    clear.putpixel((0, 0), (255, 0, 0, 255))
    palette = half_red(4, 4).convert("P", palette=Image.Palette.ADAPTIVE)
    red = palette.getpixel((0, 0))
    for content, opaque in (
        (encoded(clear), (0, 0)),
        (encoded(clear, "WEBP", lossless=True), (0, 0)),
        (encoded(clear.convert("LA")), (0, 0)),
        (encoded(palette, transparency=1 - red), (0, 0)),
        (encoded(half_red(4, 4), transparency=(0, 0, 255)), (0, 0)),
    ):
        pixels = decode(content).pixels
        assert (pixels[-1, -1] == 255).all()
        assert not (pixels[opaque] == 255).all()


def test_deep_pixels_keep_their_range() -> None:
    grey = np.array([[0, 32_768, 65_535]], np.uint16)
    shares = Image.fromarray(np.array([[0, 0.502, 1]], np.float32))
    with_alpha = png(3, 1, 16, 4, b"\0" + struct.pack(">6H", 0, 65535, 32768, 65535, 65535, 65535))
    for content in (
        encoded(Image.fromarray(grey)),
        encoded(Image.fromarray(grey), "TIFF"),
        encoded(shares, "TIFF"),
        with_alpha,
    ):
        assert decode(content).pixels[0, :, 0].tolist() == [0, 128, 255]


def test_colours_are_converted_to_srgb() -> None:
    green = Image.new("RGB", (4, 4), (100, 200, 50))
    for options in ({}, {"file_format": "JPEG", "quality": 95}, {"file_format": "TIFF"}):
        wide = decode(encoded(green, icc_profile=rgb_profile(DISPLAY_P3), **options)).pixels[0, 0]
        # The same colour in sRGB, from the matrices of both spaces: less red, more green, no blue.
        assert np.abs(wide.astype(int) - (43, 204, 0)).max() <= 4
    same = decode(encoded(green, icc_profile=rgb_profile(SRGB))).pixels[0, 0]
    assert np.abs(same.astype(int) - (100, 200, 50)).max() <= 5
    palette = encoded(green.convert("P", palette=Image.Palette.ADAPTIVE), icc_profile=rgb_profile(DISPLAY_P3))
    assert np.abs(decode(palette).pixels[0, 0].astype(int) - (43, 204, 0)).max() <= 4


def test_cmyk_profiles_are_applied() -> None:
    ink = Image.new("CMYK", (4, 4), (255, 0, 0, 0))
    assert decode(encoded(ink, "TIFF")).pixels[0, 0].tolist() == [0, 255, 255]
    assert decode(encoded(ink, "TIFF", icc_profile=cmyk_profile())).pixels[0, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"not here", "^not a JPEG, PNG, WEBP, GIF, BMP, TIFF or AVIF file$"),
        (b"\n<!DOCTYPE html><html>not here</html>", "but HTML"),
        (b'\xef\xbb\xbf<svg xmlns="http://www.w3.org/2000/svg"/>', "but SVG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "but HEIC"),
        (encoded(half_red(400, 400), "JPEG")[:700], "truncated"),
        (encoded(half_red(400, 400), "AVIF")[:-40], "[Tt]runcated"),
        (encoded(Image.effect_noise((99, 99), 80), "TIFF", compression="tiff_lzw")[:-999], "."),
        (png(60_000, 60_000, 8, 2, b"\0"), "3600000000 pixels"),
        (png(9_000, 8_000, 8, 0, b"\0"), "9000×8000 pixels are more than"),
        (png(7_000, 7_000, 8, 2, b"\0"), "truncated"),
        (png(1, 1, 8, 0, b"\0\0", chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(3 * 10**6)))), "too large"),
        (png(1, 1, 8, 0, b"\0\0", chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**6))) * 99), "Too much"),
        (png(1, 1, 8, 0, b"\0\0", chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(3 * 10**6)))), "too large"),
    ],
    ids=[
        "empty", "words", "html", "svg", "heic", "jpeg", "avif", "tiff", "huge", "large", "lies", "text_bomb",
        "text_bombs", "profile_bomb",
    ],
)  # fmt: skip
def test_invalid_images_have_a_stable_error_message(content: bytes, words: str) -> None:
    messages = set()
    for _ in range(2):
        with pytest.raises(ImageError, match=words) as caught:
            decode(bytes(bytearray(content)))
        messages.add(str(caught.value))
    assert len(messages) == 1 and "0x" not in messages.pop()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", EmptyFile()),
        (b"not here", UnknownFormat(None)),
        (b"\n<!DOCTYPE html><html>not here</html>", UnknownFormat("HTML")),
        (png(9_000, 8_000, 8, 0, b"\0"), TooManyPixels(9_000, 8_000)),
        (png(7_000, 7_000, 8, 2, b"\0"), UndecodableImage("image file is truncated")),
    ],
    ids=["empty", "words", "html", "large", "lies"],
)
def test_an_error_has_its_kind_and_values_as_fields(content: bytes, error: ImageError) -> None:
    with pytest.raises(ImageError) as caught:
        decode(content)
    sent = pickle.loads(pickle.dumps(caught.value))  # as from a worker process
    for found in (caught.value, sent):
        assert (type(found), found.kind, vars(found)) == (type(error), error.kind, vars(error))
    assert str(sent) == str(caught.value)


def test_a_gif_frame_larger_than_its_screen_is_rejected() -> None:
    gif = bytearray(encoded(half_red().convert("P"), "GIF"))
    frame = gif.index(b",\0\0\0\0")
    gif[frame + 5 : frame + 9] = struct.pack("<HH", 12_000, 12_000)
    with pytest.raises(ImageError, match="12000×12000"):
        decode(bytes(gif))


def test_excess_pixel_data_is_not_decompressed() -> None:
    assert decode(png(2, 1, 8, 2, bytes(10**7))).pixels.shape == (1, 2, 3)


def test_memory_errors_are_not_image_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(_: Image.Image) -> None:
        raise MemoryError

    monkeypatch.setattr("gemkit.image_codec._upright", no_memory)
    with pytest.raises(MemoryError):
        decode(encoded(half_red()))


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_damaged_bytes_never_crash(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"]))
    whole = bytearray(encoded(half_red(), kind, icc_profile=rgb_profile(DISPLAY_P3)))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        pixels = decode(bytes(whole)).pixels
    except ImageError as error:
        assert str(error)
    else:
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3
