"""The panels of the steps: what was found, or that it was not found."""

import numpy as np

from curation import CropParams, crop_image
from curation.inspect.visualise import PANEL, STEPS, step_strip
from tests.helpers.stone_images import stone_image

SETTINGS = CropParams(size=64, removal="classical")


def panels(pixels: np.ndarray) -> dict[str, np.ndarray]:
    strip = step_strip(pixels, crop_image(pixels, SETTINGS))
    return dict(zip(STEPS, np.split(strip, len(STEPS), axis=1), strict=True))


def test_a_found_stone_has_edges_and_a_mask() -> None:
    found = panels(stone_image((190, 30, 60), seed=1))
    assert all(panel.shape == (PANEL, PANEL, 3) for panel in found.values())
    assert 0.1 < (found["mask"] == 255).all(axis=2).mean() < 0.9


def test_a_panel_of_what_was_not_found_says_so() -> None:
    found = panels(np.full((200, 200, 3), 128, np.uint8))
    for name in ("edges", "mask"):
        written = (found[name] > 100).all(axis=2)
        assert 0.002 < written.mean() < 0.1, "a short text on black"
        assert not written[: PANEL // 3].any() and not written[-PANEL // 3 :].any()
