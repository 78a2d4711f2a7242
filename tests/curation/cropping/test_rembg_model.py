"""The network sees the stone, and says what it runs on."""

from curation.cropping.rembg_model import provider, soft_mask
from tests.helpers.stone_pictures import SIDE, disc, stone_picture


def test_the_network_sees_the_stone() -> None:
    soft = soft_mask(stone_picture((180, 20, 50)), "u2netp")
    assert soft.shape == (SIDE, SIDE)
    assert soft.dtype == "uint8"
    mask = soft >= 128
    assert (mask & disc()).sum() / (mask | disc()).sum() > 0.85
    assert str(provider("u2netp")).endswith("ExecutionProvider")
