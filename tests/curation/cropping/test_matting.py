"""The components of a mask that are stones are selected."""

import numpy as np

from curation.cropping.matting import components
from tests.helpers.stone_images import disc


def test_specks_are_not_stones() -> None:
    specks = disc()
    specks[2:6, 2:6] = True
    assert not components(specks, "all")[:10].any()
    assert not components(np.zeros((10, 10), bool), "all").any()
