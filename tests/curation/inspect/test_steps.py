"""The steps of a few images are drawn as one figure."""

import pytest

from curation.cropping.params import CropParams
from curation.inspect.steps import steps
from gemkit.image_codec import decode_rgb
from gemkit.project import Project


@pytest.mark.heavy
def test_the_steps_of_a_few_images_are_drawn(home: Project, kept_images: list[dict]) -> None:
    summary = steps(home, CropParams(size=64))
    assert summary["images"] == len({row["variety"] for row in kept_images})
    figure = decode_rgb((home.plots / "canny_steps.png").read_bytes())
    assert figure.shape[0] > 3 * 160
    assert figure.shape[1] > 5 * 160
