"""Render the file of each photo in the catalogue: the image itself, then its copies and defects."""

import io
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from gemkit.executor.local import map_shards
from gemkit.progress import Progress
from gemkit.tables import write_bytes
from scraper.demo_store.catalogue import Catalogue, Photo, images_of
from scraper.demo_store.rendering.camera_defects import blank, blurred, bright, dark, watermarked
from scraper.demo_store.rendering.certificates import certificate
from scraper.demo_store.rendering.hands import gloved, held
from scraper.demo_store.rendering.layouts import several
from scraper.demo_store.rendering.other_objects import scene
from scraper.demo_store.rendering.printed_matter import banner, placeholder, screenshot, size_chart
from scraper.demo_store.rendering.stones import make_stone, photograph
from scraper.demo_store.rendering.varieties import BY_NAME

#: Incremented whenever the bytes of any photo change.
VERSION = 8

_SHARD = 8
_TINY_SIDE = 60

#: Kinds that do not show the product; the second group shows a stone like it.
_WITHOUT_PRODUCT = {
    "blank": blank,
    "no_stone": scene,
    "size_chart": size_chart,
    "placeholder": placeholder,
}
_WITH_VARIETY = {"certificate": certificate, "banner": banner, "screenshot": screenshot, "several": several}
#: Kinds that show the product's stone in a hand.
_IN_HAND = {"hand": held, "glove": gloved}
#: Defects added to a good photo.
_DEFECTS = {"blurred": blurred, "dark": dark, "bright": bright, "watermark": watermarked}


def render_pixels(photo: Photo) -> np.ndarray:
    """The pixels of a photo, uint8 RGB (height, width, 3); a copy has those of its original."""
    rng = np.random.default_rng([*photo.stone, 7, photo.view])
    if photo.kind in _WITHOUT_PRODUCT:
        return _WITHOUT_PRODUCT[photo.kind](rng)
    if photo.kind in _WITH_VARIETY:
        return _WITH_VARIETY[photo.kind](BY_NAME[photo.variety], rng)
    if photo.kind in _IN_HAND:
        stone = make_stone(BY_NAME[photo.variety], np.random.default_rng(photo.stone))
        return _IN_HAND[photo.kind](stone, rng)
    pixels = photograph(photo.variety, photo.stone, photo.view)
    return _DEFECTS[photo.kind](pixels, rng) if photo.kind in _DEFECTS else pixels


def photo_bytes(photo: Photo) -> bytes:
    """The bytes that the store serves for a photo."""
    pixels = render_pixels(photo)
    rng = np.random.default_rng([*photo.stone, 8, photo.view])
    quality = int(rng.integers(72, 95))
    if photo.kind == "tiny":
        return _encode(
            cv2.resize(pixels, (_TINY_SIDE, _TINY_SIDE), interpolation=cv2.INTER_AREA), "jpg", quality
        )
    if photo.kind == "near_duplicate":
        return _near_duplicate(photo, pixels, rng)
    if photo.kind == "edited_duplicate":
        return _encode(
            _edited(photo, pixels, rng), photo.suffix, 40 if photo.change == "compressed" else quality
        )
    content = _encode(pixels, photo.suffix, quality)
    return content[: len(content) * 2 // 5] if photo.kind == "truncated" else content


def _near_duplicate(photo: Photo, pixels: np.ndarray, rng: np.random.Generator) -> bytes:
    if photo.change == "rescaled":
        factor = rng.uniform(0.35, 0.9)
        pixels = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        return _encode(pixels, photo.suffix, 88)
    if photo.change == "recompressed":
        return _encode(pixels, photo.suffix, int(rng.integers(45, 65)))
    return _encode(pixels, photo.suffix, 85)


def _edited(photo: Photo, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = pixels.shape[:2]
    if photo.change == "halved":
        return cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    if photo.change == "doubled":
        return cv2.resize(pixels, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    if photo.change == "cropped":
        left, top = (
            int(share * side) for share, side in zip(rng.uniform(0, 0.05, 2), (width, height), strict=True)
        )
        return pixels[top : top + int(0.95 * height), left : left + int(0.95 * width)]
    if photo.change == "bordered":
        edge = int(min(width, height) * rng.uniform(0.02, 0.06))
        colour = [int(rng.choice([0, 128, 255]))] * 3
        return cv2.copyMakeBorder(pixels, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=colour)
    if photo.change == "relit":
        relit: np.ndarray = np.clip(pixels * rng.choice([0.9, 1.1]), 0, 255).astype(np.uint8)
        return relit
    return np.ascontiguousarray(pixels[:, ::-1]) if photo.change == "mirrored" else pixels


def _encode(pixels: np.ndarray, suffix: str, quality: int) -> bytes:
    content = io.BytesIO()
    kind = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[suffix]
    Image.fromarray(pixels).save(content, kind, quality=quality)
    return content.getvalue()


def store_folder(catalogue: Catalogue, cache: Path) -> Path:
    """The folder with the files of a catalogue."""
    name = f"{catalogue.seed}-{catalogue.scale:g}-{catalogue.dirt:g}-v{VERSION}"
    return cache / "demo_store" / name


def prepare(catalogue: Catalogue, cache: Path) -> Path:
    """Render missing files in parallel and return the folder; a file's path in it is its URL's path."""
    folder = store_folder(catalogue, cache)
    missing = [photo for photo in images_of(catalogue) if not (folder / photo.path[1:]).exists()]
    shards = [(folder, missing[start : start + _SHARD]) for start in range(0, len(missing), _SHARD)]
    with Progress("demo store: photos", len(missing)) as progress:
        for count in map_shards(render_shard, shards) if shards else []:
            progress.advance(count)
    return folder


def render_shard(shard: tuple[Path, Sequence[Photo]]) -> int:
    """Write the files of a few photos; returns their number."""
    cv2.setNumThreads(1)
    folder, photos = shard
    for photo in photos:
        path = folder / photo.path[1:]
        write_bytes(path, photo_bytes(photo))
        stamp = photo.added.toordinal() * 86_400 - 62_135_683_200
        os.utime(path, (stamp, stamp))
    return len(photos)
