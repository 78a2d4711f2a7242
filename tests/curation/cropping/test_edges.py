"""Edges of stones are found and those of shadows are not; boxes are exact."""

import numpy as np

from curation.cropping.edges import bounding_box, canny_edges


def test_a_stone_has_edges_and_a_shadow_has_none() -> None:
    lab = np.zeros((100, 120, 3), np.float32)
    lab[..., 0] = 80 - 20 / (1 + np.exp(-(np.arange(120) - 60) / 8))
    assert not canny_edges(lab).any()
    lab[30:60, 20:90] += (0, 30, -10)
    box = bounding_box(canny_edges(lab))
    assert box is not None
    assert np.abs(np.array(box) - (20, 30, 90, 60)).max() <= 1


def test_the_bounding_box_is_exact() -> None:
    pixels = np.zeros((10, 12), bool)
    assert bounding_box(pixels) is None
    pixels[3:5, 4:9] = True
    assert bounding_box(pixels) == (4, 3, 9, 5)
