"""The pixel measurements have the values that their definitions imply."""

import cv2
import numpy as np
import pytest

from curation.measurement.pixel_statistics import measure_pixels, pixel_hash
from scraper.demo_store.rendering.stones import photograph


def test_the_pixel_hash_covers_the_pixels_and_their_shape() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert pixel_hash(pixels) == pixel_hash(pixels.copy())
    assert pixel_hash(pixels) != pixel_hash(pixels.reshape(4, 2, 3))
    assert pixel_hash(pixels) != pixel_hash(pixels[::-1])


def test_measurements_of_simple_images() -> None:
    grey = np.full((300, 300, 3), 119, np.uint8)
    flat = measure_pixels(grey)
    assert flat.lightness.brightness == pytest.approx(50, abs=0.5)  # sRGB 119 is L* 50
    assert flat.lightness.contrast == pytest.approx(0, abs=1e-3)
    assert flat.sharpness == 0
    assert flat.border.background_uniformity == pytest.approx(1, abs=1e-3)
    assert flat.skin.skin_share == 0
    hand = grey.copy()
    hand[150:, 60:240] = (208, 156, 122)
    measured = measure_pixels(hand).skin
    assert measured.skin_region_share == pytest.approx(0.3, abs=0.02)
    assert measured.skin_border_share == pytest.approx(180 / 1200, abs=0.02)
    floating = grey.copy()
    floating[80:200, 60:240] = (208, 156, 122)
    assert measure_pixels(floating).skin.skin_region_share == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (3, 2), (700, 2)])
def test_the_smallest_images_are_measured(shape: tuple[int, int]) -> None:
    assert measure_pixels(np.zeros((*shape, 3), np.uint8)).width == shape[1]


@pytest.mark.parametrize("grey", [0, 60, 255])
@pytest.mark.parametrize("depth", [0.03, 0.08])
def test_a_frame_is_ignored(grey: int, depth: float) -> None:
    image = photograph("Ruby", (3, 1), 0)
    height, width = image.shape[:2]
    edge = round(depth * width)
    framed = cv2.copyMakeBorder(image, *[edge] * 4, cv2.BORDER_CONSTANT, value=[grey] * 3)
    bare, inside = measure_pixels(image).columns(), measure_pixels(framed).columns()
    for name in (
        "stones",
        "stone_share",
        "stone_elongation",
        "border_component_run",
        "background_uniformity",
    ):
        assert inside[name] == pytest.approx(bare[name], abs=0.08), name
    sides = [width, height] * 2
    expected = [side * share + edge for side, share in zip(sides, bare["stone_box"], strict=True)]
    around = [(side + 2 * edge) * share for side, share in zip(sides, inside["stone_box"], strict=True)]
    assert around == pytest.approx(expected, abs=0.04 * width)
