"""Shape features are named, and the table has the same names."""

import numpy as np
import pytest

from curation.measurement.pixel_statistics import measure_pixels
from curation.measurement.shape_features import ShapeFeatures
from curation.tables import SHAPE_FEATURES
from tests.helpers.stone_images import COLOURS, disc, stone_image


def test_the_table_has_the_features_by_name() -> None:
    assert tuple(field.name for field in SHAPE_FEATURES) == ShapeFeatures._fields


def test_the_features_of_a_disc() -> None:
    image = np.where(disc()[..., None], np.array([200, 30, 60], np.uint8), np.uint8(225))
    found = measure_pixels(image).shape_features
    assert (found.components, found.large_components) == (1, 1)
    assert found.filled == 1
    assert 0.85 < found.roundness <= 1
    assert abs(found.foreground - disc().mean()) < 0.03
    assert found.flat_share > 0.8
    assert found.border_side == 0


def test_an_even_image_has_no_components() -> None:
    found = measure_pixels(np.full((100, 100, 3), 128, np.uint8)).shape_features
    assert found == pytest.approx((0,) * len(found), abs=0.02)


def test_a_faceted_stone_is_not_flat() -> None:
    found = measure_pixels(stone_image(COLOURS["ruby"])).shape_features
    assert found.flat_share < 0.5 < found.gradient_inside
