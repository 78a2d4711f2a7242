"""The visible centre is in the middle of the stored square."""

import numpy as np
import pytest

from curation.imaging.centre_crop import cut_centre, stored_side


@pytest.mark.parametrize("size", [16, 96, 112, 224, 333])
def test_the_visible_centre_is_in_the_middle(size: int) -> None:
    side = stored_side(size)
    assert abs(side - size * 2**0.5) < 2
    assert (side - size) % 2 == 0
    marked = np.zeros((side, side, 3), np.uint8)
    marked[(side - size) // 2 : (side + size) // 2, (side - size) // 2 : (side + size) // 2] = 1
    assert cut_centre(marked, size).min() == 1
    assert cut_centre(marked, size).shape == (size, size, 3)
