"""Pairs of near-equal hashes are exactly those that comparing all with all gives; copies are told apart."""

import io
from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from curation.cleaning.grouping import Components, choose_copies
from curation.cleaning.hamming_search import mirrored_pairs_within, pairs_within
from curation.cleaning.rules.near_duplicate import Settings, confirm
from curation.measurement.perceptual_hash import THUMBNAIL, picture_hashes
from gemkit.image_codec import decode
from scraper.demo_store.rendering.stones import photograph


def all_pairs(codes: np.ndarray, radius: int) -> set[tuple[int, int]]:
    return {
        (i, j)
        for i in range(len(codes))
        for j in range(i + 1, len(codes))
        if np.bitwise_count(codes[i] ^ codes[j]).sum() <= radius
    }


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    words=st.sampled_from([1, 4]),
    radius=st.integers(0, 12),
    count=st.integers(0, 40),
)
def test_pairs_are_those_of_comparing_all(seed: int, words: int, radius: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    # A few centres with some bits flipped: equal codes, pairs on both sides of the radius.
    centres = rng.integers(0, 2**64, (4, words), dtype=np.uint64)
    codes = centres[rng.integers(0, 4, count)]
    for code in codes:
        for _ in range(rng.integers(0, 10)):
            code[rng.integers(words)] ^= np.uint64(1) << np.uint64(rng.integers(64))
    pairs = pairs_within(codes, radius)
    assert [tuple(pair) for pair in pairs.tolist()] == sorted(all_pairs(codes, radius))


def test_no_copy_over_a_chain() -> None:
    # 0-1-2-3 in a chain, best first: 2 pairs with 1, which is a copy itself, so it stays; 3 is a copy of 2.
    pairs = np.array([[0, 1], [1, 2], [2, 3]])
    assert choose_copies(pairs, np.arange(4)).tolist() == [0, 0, 2, 2]


def test_the_best_rank_stays() -> None:
    pairs = np.array([[0, 1], [0, 2], [1, 2]])
    assert choose_copies(pairs, np.array([2, 1, 0])).tolist() == [2, 2, 2]


@pytest.mark.parametrize("order", [1, -1])
def test_components_are_named_by_their_smallest_node(order: int) -> None:
    components = Components(6)
    for nodes in [[4, 5], [1, 4], [0, 2]][::order]:
        components.join(nodes)
    assert [components.find(node) for node in range(6)] == [0, 1, 0, 3, 1, 1]


def test_pairs_in_a_mirror() -> None:
    # 0 and 1 are alike, 2 is the mirror image of 0, and 3 of itself.
    codes = np.array([[0], [1], [2**40 - 1], [(2**30 - 1) << 34]], np.uint64)
    mirrored = np.array([[2**40 - 1], [2**40 - 2], [0], [(2**30 - 1) << 34]], np.uint64)
    straight, crossed = mirrored_pairs_within(codes, mirrored, 2)
    assert straight.tolist() == [[0, 1]]
    assert crossed.tolist() == [[0, 2], [1, 2]]


def saved(pixels: np.ndarray, kind: str = "JPEG", quality: int = 90) -> np.ndarray:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, quality=quality)
    return decode(out.getvalue()).pixels


def framed(pixels: np.ndarray, grey: int) -> np.ndarray:
    return cv2.copyMakeBorder(pixels, *[len(pixels) // 20] * 4, cv2.BORDER_CONSTANT, value=[grey] * 3)


def scaled(pixels: np.ndarray, factor: float) -> np.ndarray:
    return cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def cut(pixels: np.ndarray, before: float, after: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    top, left, bottom, right = (round(a * b) for a in (before, after) for b in (height, width))
    return pixels[top : height - bottom, left : width - right]


COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "half": lambda pixels: saved(scaled(pixels, 0.5)),
    "double": lambda pixels: saved(scaled(pixels, 2)),
    "jpeg": lambda pixels: saved(pixels, quality=40),
    "png": lambda pixels: saved(pixels, "PNG"),
    "webp": lambda pixels: saved(pixels, "WEBP", 80),
    "sides": lambda pixels: saved(cut(pixels, 0.05, 0.05)),
    "corner": lambda pixels: saved(cut(pixels, 0.05, 0)),
    "white": lambda pixels: saved(framed(pixels, 255)),
    "black": lambda pixels: saved(framed(pixels, 0)),
    "grey": lambda pixels: saved(framed(pixels, 128)),
    "brighter": lambda pixels: saved((pixels * 1.1).clip(0, 255).astype(np.uint8)),
    "darker": lambda pixels: saved((pixels * 0.9).astype(np.uint8)),
    "mirrored": lambda pixels: saved(np.ascontiguousarray(pixels[:, ::-1])),
}


@lru_cache
def stones() -> list[np.ndarray]:
    """Photos of stones of two varieties close in colour, several of each."""
    return [photograph(name, (7, number), 0) for name in ("Ruby", "Red Spinel") for number in range(4)]


def copies(pictures: list[np.ndarray]) -> list[tuple[int, int]]:
    rows = [picture_hashes(picture) for picture in pictures]
    codes, mirrored, thumbnails = (
        np.array([np.frombuffer(bytes.fromhex(row[column]), kind) for row in rows])
        for column, kind in (("phash", np.uint64), ("phash_mirrored", np.uint64), ("thumbnail", np.uint8))
    )
    shape = (-1, THUMBNAIL, THUMBNAIL, 3)
    pairs = confirm(codes, mirrored, thumbnails.reshape(shape), Settings())[0]
    return [tuple(pair) for pair in pairs.tolist()]


@pytest.mark.parametrize("change", COPIES)
def test_copies_are_found_and_stones_stay_apart(change: str) -> None:
    photos = stones()
    found = copies([*photos, *(COPIES[change](photo) for photo in photos)])
    assert found == [(number, number + len(photos)) for number in range(len(photos))]


def test_another_colour_is_another_stone() -> None:
    photo = stones()[0]
    assert copies([photo, photo[..., ::-1].copy()]) == []


@given(height=st.integers(1, 40), width=st.integers(1, 40), value=st.integers(0, 255))
@settings(max_examples=30, deadline=None)
def test_any_size_has_hashes(height: int, width: int, value: int) -> None:
    flat = picture_hashes(np.full((height, width, 3), value, np.uint8))
    assert {name: len(text) // 2 for name, text in flat.items()} == {
        "phash": 8,
        "phash_mirrored": 8,
        "thumbnail": 3 * THUMBNAIL**2,
    }


def test_blank_pictures_are_no_copies_of_photos() -> None:
    blank = np.full((200, 200, 3), 200, np.uint8)
    assert copies([stones()[0], blank]) == []
