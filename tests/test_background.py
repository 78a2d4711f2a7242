"""The mask: one solid piece over the stone, none where there is no stone."""

import numpy as np
import pytest
from stone_pictures import SIDE, disc, stone_picture

from curation.background import solid, stone_mask
from curation.canny import bounding_box, canny_edges


def overlap(left: np.ndarray, right: np.ndarray) -> float:
    return float((left & right).sum() / (left | right).sum())


@pytest.mark.parametrize("colour", [(180, 20, 50), (30, 80, 190), (20, 140, 60)])
def test_the_mask_covers_the_stone(colour: tuple[int, int, int]) -> None:
    mask = stone_mask(stone_picture(colour), "u2netp")
    assert mask is not None
    assert mask.shape == (SIDE, SIDE)
    assert mask.dtype == bool
    assert overlap(mask, disc()) > 0.85


def test_a_blank_picture_has_no_stone() -> None:
    assert stone_mask(np.full((200, 300, 3), 230, np.uint8), "u2netp") is None


def test_holes_are_filled_and_crumbs_dropped() -> None:
    ring = disc() & ~disc(radius=40)
    crumbs = ring.copy()
    crumbs[2:6, 2:6] = True
    assert overlap(solid(crumbs), disc()) > 0.99
    assert not solid(np.zeros((10, 10), bool)).any()


def test_edges_and_their_box() -> None:
    picture = np.full((100, 120, 3), 200, np.uint8)
    assert bounding_box(canny_edges(picture)) is None
    picture[30:60, 20:90] = (60, 10, 90)
    box = bounding_box(canny_edges(picture))
    assert box is not None
    assert np.abs(np.array(box) - (20, 30, 90, 60)).max() <= 2
    exact = np.zeros((10, 12), bool)
    exact[3:5, 4:9] = True
    assert bounding_box(exact) == (4, 3, 9, 5)
