"""Orientations move pixels exactly, and their order is balanced."""

from collections import Counter
from collections.abc import Iterable

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.datasets.orientations import Orientation, balanced_pairs, orient, orientations
from curation.imaging.centre_crop import cut_centre, stored_side

SIZE = 32


def spread(counts: Counter, keys: Iterable) -> int:
    return max(counts[key] for key in keys) - min(counts[key] for key in keys)


@settings(deadline=None)
@given(st.integers(1, 80), st.sampled_from([1, 2, 4, 8, 16]), st.data())
def test_every_prefix_of_the_pairs_is_balanced(sources: int, count: int, data: st.DataObject) -> None:
    every = list(balanced_pairs(sources, count))
    assert len(set(every)) == len(every) == sources * count
    first = every[: data.draw(st.integers(1, len(every)))]
    assert spread(Counter(source for source, _ in first), range(sources)) <= 1
    assert spread(Counter(turn for _, turn in first), range(count)) <= 1
    if count == 16:
        mirrored = Counter((source, orientations(count)[turn].mirrored) for source, turn in first)
        assert all(abs(mirrored[source, True] - mirrored[source, False]) <= 1 for source in range(sources))


def test_orientations_are_distinct_views_of_the_same_image() -> None:
    rng = np.random.default_rng(0)
    side = stored_side(SIZE)
    noise = rng.integers(0, 256, (side, side, 3), np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    views = list(orient(smooth, SIZE, orientations(16)))
    assert len({view.tobytes() for view in views}) == 16
    assert all(view.shape == (SIZE, SIZE, 3) for view in views)
    centre = cut_centre(smooth, SIZE)
    assert np.array_equal(next(orient(smooth, SIZE, [Orientation(90, False)])), np.rot90(centre))
    assert np.array_equal(next(orient(smooth, SIZE, [Orientation(180, True)])), np.rot90(centre[:, ::-1], 2))


def test_a_rotation_by_45_degrees_is_counter_clockwise_about_the_centre() -> None:
    side = stored_side(SIZE)
    dot = np.zeros((side, side, 3), np.uint8)
    middle = (side - 1) / 2
    cv2.circle(dot, (round(middle + 10), round(middle)), 2, (255, 255, 255), -1)  # at three o'clock
    turned = next(orient(dot, SIZE, [Orientation(45, False)]))[..., 0].astype(float)
    rows, columns = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    x, y = (turned * columns).sum() / turned.sum(), (turned * rows).sum() / turned.sum()
    right, below = round(middle + 10) - middle, round(middle) - middle
    assert np.hypot(x - (right + below) / 2**0.5, y - (below - right) / 2**0.5) < 0.2  # half past one
    twice = next(orient(dot, SIZE, [Orientation(90, False)]))[..., 0]
    assert np.unravel_index(twice.argmax(), twice.shape)[0] < SIZE / 2 - 5


def test_corners_have_real_pixels() -> None:
    side = stored_side(SIZE)
    rows, columns = np.mgrid[:side, :side]
    plane = np.stack([rows * 5, columns * 5, rows + columns + 40], axis=2).astype(np.uint8)
    for turn in orientations(16):
        angle = np.deg2rad(turn.rotation)
        y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
        source_x = np.cos(angle) * x - np.sin(angle) * y
        source_y = np.sin(angle) * x + np.cos(angle) * y
        source_x = -source_x if turn.mirrored else source_x
        middle = (side - 1) / 2
        expected = np.stack(
            [(source_y + middle) * 5, (source_x + middle) * 5, source_x + source_y + side - 1 + 40], axis=2
        )
        assert np.abs(next(orient(plane, SIZE, [turn])) - expected).max() < 4, turn
