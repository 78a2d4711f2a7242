"""Encoded photos, whole and damaged."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.helpers.encoded_images import encoded


def photo(mode: str = "RGB", size: tuple[int, int] = (160, 120), seed: int = 0) -> Image.Image:
    """A smooth picture with noise, as a camera takes it."""
    generator = np.random.default_rng(seed)
    bands = len(Image.new(mode, (1, 1)).getbands())
    coarse = generator.integers(0, 255, (size[1] // 16, size[0] // 16, bands), np.uint8)
    smooth = Image.fromarray(coarse.squeeze(), mode).resize(size, Image.Resampling.BICUBIC)
    noise = generator.integers(0, 12, (size[1], size[0], bands))
    pixels = np.asarray(smooth).reshape(size[1], size[0], bands) + noise
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8).squeeze(), mode)


def multi_picture() -> bytes:
    """A JPEG with a second image behind the first."""
    return encoded(photo(), "MPO", save_all=True, append_images=[photo(seed=1)])


def jpegs() -> dict[str, bytes]:
    """JPEGs of all kinds that encoders write."""
    exif = Image.Exif()
    exif[0x010E] = "stone " * 100
    return {
        "baseline": encoded(photo(), "JPEG"),
        "without subsampling": encoded(photo(), "JPEG", quality=95, subsampling=0),
        "progressive": encoded(photo(), "JPEG", progressive=True),
        "restart rows": encoded(photo(), "JPEG", restart_marker_rows=1),
        "restart blocks": encoded(photo(), "JPEG", restart_marker_blocks=7),
        "progressive with restarts": encoded(photo(), "JPEG", progressive=True, restart_marker_rows=1),
        "metadata": encoded(photo(), "JPEG", exif=exif, icc_profile=b"x" * 3000, comment=b"stone"),
        "grey": encoded(photo("L"), "JPEG"),
        "CMYK": encoded(photo("CMYK"), "JPEG"),
    }


def images() -> dict[str, bytes]:
    """Images of all formats."""
    return {
        **jpegs(),
        "PNG": encoded(photo(), "PNG"),
        "GIF": encoded(photo().convert("P"), "GIF"),
        "WebP": encoded(photo(), "WEBP"),
        "lossless WebP": encoded(photo(), "WEBP", lossless=True),
        "BMP": encoded(photo(), "BMP"),
        "TIFF": encoded(photo(), "TIFF"),
        "compressed TIFF": encoded(photo(), "TIFF", compression="tiff_lzw"),
        "AVIF": encoded(photo(), "AVIF"),
    }


def cut(content: bytes) -> Iterator[bytes]:
    """The content without its end, at every 5 % of its length."""
    return (content[: len(content) * percent // 100] for percent in range(5, 100, 5))


def without_a_piece(content: bytes) -> Iterator[bytes]:
    """The content without a twentieth of it, anywhere in its middle."""
    piece = len(content) // 20
    for percent in range(35, 90, 5):
        start = len(content) * percent // 100
        yield content[:start] + content[start + piece :]


def with_chunks(png: bytes, *chunks: tuple[bytes, bytes], at: int = 33) -> bytes:
    """A PNG with further chunks, by default behind its header."""
    added = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return png[:at] + added + png[at:]


def metadata_bombs(size: int = 3_000_000) -> dict[str, bytes]:
    """Small images whose metadata has `size` bytes once inflated or gathered."""
    png, gif, bomb = encoded(photo(), "PNG"), encoded(photo().convert("P"), "GIF"), zlib.compress(b"a" * size)
    behind_palette = 13 + 3 * 256
    blocks = (b"\xff" + b"a" * 255) * (size // 255)
    several, exif = io.BytesIO(), Image.Exif()
    exif[0x9286] = b"a" * 60_000
    photo().save(several, "JPEG", exif=exif, icc_profile=b"a" * size)
    return {
        "zTXt": with_chunks(png, (b"zTXt", b"Comment\0\0" + bomb)),
        "iTXt": with_chunks(png, (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb)),
        "iCCP": with_chunks(png, (b"iCCP", b"profile\0\0" + bomb)),
        "many zTXt": with_chunks(png, *[(b"zTXt", b"Comment\0\0" + bomb)] * 100),
        "behind the pixels": png[:-12]
        + with_chunks(bytes(33), (b"zTXt", b"Comment\0\0" + bomb))[33:]
        + png[-12:],
        "GIF comment": gif[:behind_palette] + b"!\xfe" + blocks + b"\0" + gif[behind_palette:],
        "JPEG profile": several.getvalue(),
    }


def animations() -> dict[str, bytes]:
    """Images with several frames or pages."""
    first, *others = (photo(seed=seed) for seed in range(3))
    palettes = [image.convert("P") for image in others]
    return {
        "GIF": encoded(first.convert("P"), "GIF", save_all=True, append_images=palettes),
        "APNG": encoded(first, "PNG", save_all=True, append_images=others),
        "WebP": encoded(first, "WEBP", save_all=True, append_images=others),
        "AVIF": encoded(first, "AVIF", save_all=True, append_images=others),
        "TIFF": encoded(first, "TIFF", save_all=True, append_images=others),
        "compressed TIFF": encoded(
            first, "TIFF", save_all=True, append_images=others, compression="tiff_lzw"
        ),
    }


def odd_pngs() -> dict[str, bytes]:
    """PNGs that browsers show: a chunk that their pixels do not need is broken, or has a wrong checksum."""
    png = encoded(photo(), "PNG")
    wrong = {b"tEXt": b"a\0b", b"iCCP": b"p\0\0" + zlib.compress(b"x"), b"eXIf": b"II*\0", b"tIME": bytes(7)}
    broken = {
        **{b"iCCP": b"p\0\5x", b"zTXt": b"a\0\7x", b"gAMA": b"", b"pHYs": b"\0", b"cHRM": b"\0"},
        **{b"sRGB": b"", b"tRNS": b"\0", b"acTL": b"\0", b"fcTL": b"\0"},
    }
    pngs = {}
    for kind, data in wrong.items():
        chunk = struct.pack(">I", len(data)) + kind + data + b"\0\0\0\0"
        pngs[f"wrong sum of {kind.decode()}"] = png[:33] + chunk + png[33:]
    for kind, data in broken.items():
        pngs[f"broken {kind.decode()}"] = with_chunks(png, (kind, data))
    return pngs


def with_shifted_restarts(jpeg: bytes) -> bytes:
    """A JPEG whose restart markers start at RST1 in place of RST0."""
    shifted, at = bytearray(jpeg), jpeg.find(b"\xff\xda")
    for place in range(at, len(jpeg) - 1):
        if jpeg[place] == 0xFF and 0xD0 <= jpeg[place + 1] <= 0xD7:
            shifted[place + 1] = 0xD0 + (jpeg[place + 1] - 0xD0 + 1) % 8
    return bytes(shifted)


def odd_jpegs(jpeg: bytes) -> dict[str, bytes]:
    """A JPEG as browsers show it: its end marker is missing, or there are bytes that do not belong to it."""
    end, start = jpeg.rindex(b"\xff\xd9"), jpeg.index(b"\xff\xdb")
    return {
        "no end marker": jpeg[:end],
        "half an end marker": jpeg[: end + 1],
        "no end marker, unwritten": jpeg[:end] + bytes(300),
        "bytes before the end": jpeg[:end] + b"\0\0abc" + jpeg[end:],
        "fill bytes before the end": jpeg[:end] + b"\xff\xff" + jpeg[end:],
        "bytes before a marker": jpeg[:start] + b"xyz" + jpeg[start:],
        "fill bytes before a marker": jpeg[:start] + b"\xff\xff" + jpeg[start:],
    }
