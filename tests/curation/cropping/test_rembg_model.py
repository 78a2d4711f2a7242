"""The network finds the stone, and its execution provider is known."""

from curation.cropping.rembg_model import provider, soft_mask
from tests.helpers.stone_images import SIDE, disc, stone_image


def test_the_network_finds_the_stone() -> None:
    soft = soft_mask(stone_image((180, 20, 50)), "u2netp")
    assert soft.shape == (SIDE, SIDE)
    assert soft.dtype == "uint8"
    mask = soft >= 128
    assert (mask & disc()).sum() / (mask | disc()).sum() > 0.85
    assert str(provider("u2netp")).endswith("ExecutionProvider")
