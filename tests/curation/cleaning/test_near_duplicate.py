"""Copies of an image are found, whatever was changed, and images of other stones are not."""

import io
from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
import pytest
from PIL import Image

from curation.cleaning.near_duplicate import Settings, confirm
from curation.measurement.perceptual_hash import THUMBNAIL, perceptual_hashes
from gemkit.image_codec import decode
from scraper.demo_store.rendering.stones import photograph


def saved(pixels: np.ndarray, kind: str = "JPEG", quality: int = 90) -> np.ndarray:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, quality=quality)
    return decode(out.getvalue()).pixels


def framed(pixels: np.ndarray, grey: int) -> np.ndarray:
    return cv2.copyMakeBorder(pixels, *[len(pixels) // 20] * 4, cv2.BORDER_CONSTANT, value=[grey] * 3)


def scaled(pixels: np.ndarray, factor: float) -> np.ndarray:
    return cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def cropped(pixels: np.ndarray, before: float, after: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    top, left, bottom, right = (round(a * b) for a in (before, after) for b in (height, width))
    return pixels[top : height - bottom, left : width - right]


COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "half": lambda pixels: saved(scaled(pixels, 0.5)),
    "double": lambda pixels: saved(scaled(pixels, 2)),
    "jpeg": lambda pixels: saved(pixels, quality=40),
    "png": lambda pixels: saved(pixels, "PNG"),
    "webp": lambda pixels: saved(pixels, "WEBP", 80),
    "sides": lambda pixels: saved(cropped(pixels, 0.05, 0.05)),
    "corner": lambda pixels: saved(cropped(pixels, 0.05, 0)),
    "white": lambda pixels: saved(framed(pixels, 255)),
    "black": lambda pixels: saved(framed(pixels, 0)),
    "grey": lambda pixels: saved(framed(pixels, 128)),
    "brighter": lambda pixels: saved((pixels * 1.1).clip(0, 255).astype(np.uint8)),
    "darker": lambda pixels: saved((pixels * 0.9).astype(np.uint8)),
    "mirrored": lambda pixels: saved(np.ascontiguousarray(pixels[:, ::-1])),
}


@lru_cache
def stones() -> list[np.ndarray]:
    """Images of stones of two varieties of similar colour, several of each."""
    return [photograph(name, (7, number), 0) for name in ("Ruby", "Red Spinel") for number in range(4)]


def copies(images: list[np.ndarray]) -> list[tuple[int, int]]:
    rows = [perceptual_hashes(image)._asdict() for image in images]
    codes, mirrored, thumbnails = (
        np.array([np.frombuffer(row[column], kind) for row in rows])
        for column, kind in (("phash", np.uint64), ("phash_mirrored", np.uint64), ("thumbnail", np.uint8))
    )
    shape = (-1, THUMBNAIL, THUMBNAIL, 3)
    pairs = confirm(codes, mirrored, thumbnails.reshape(shape), Settings())[0]
    return [tuple(pair) for pair in pairs.tolist()]


@pytest.mark.heavy
@pytest.mark.parametrize("change", COPIES)
def test_copies_are_found_and_other_stones_are_not(change: str) -> None:
    images = stones()
    found = copies([*images, *(COPIES[change](image) for image in images)])
    assert found == [(number, number + len(images)) for number in range(len(images))]


def test_a_stone_of_another_colour_is_not_a_copy() -> None:
    image = stones()[0]
    assert copies([image, image[..., ::-1].copy()]) == []


def test_a_blank_image_is_not_a_copy_of_a_stone() -> None:
    blank = np.full((200, 200, 3), 200, np.uint8)
    assert copies([stones()[0], blank]) == []
