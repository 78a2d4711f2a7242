"""The steps of a few images are drawn as one figure."""

from pathlib import Path

from curation.inspect.steps import steps
from gemkit.image_codec import decode_rgb


def test_the_steps_of_a_few_images_are_drawn(kept_images: list[dict]) -> None:
    assert steps(Path("params.yaml"))["images"] == len({row["variety"] for row in kept_images})
    figure = decode_rgb(Path("plots/canny_steps.png").read_bytes())
    assert figure.shape[0] > 3 * 160
    assert figure.shape[1] > 5 * 160
