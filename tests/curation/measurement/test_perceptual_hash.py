"""Images of any size have hashes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.measurement.perceptual_hash import THUMBNAIL, perceptual_hashes


@given(height=st.integers(1, 40), width=st.integers(1, 40), value=st.integers(0, 255))
@settings(max_examples=30, deadline=None)
def test_any_size_has_hashes(height: int, width: int, value: int) -> None:
    flat = perceptual_hashes(np.full((height, width, 3), value, np.uint8))
    assert {name: len(content) for name, content in flat._asdict().items()} == {
        "phash": 8,
        "phash_mirrored": 8,
        "thumbnail": 3 * THUMBNAIL**2,
    }
