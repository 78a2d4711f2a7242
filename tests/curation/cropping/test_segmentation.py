"""The whole stone and nothing else is found, whatever is around it."""

import numpy as np
import pytest

from curation.cropping import segmentation as segmentation
from curation.cropping.segmentation import Stone, find_stone
from tests.helpers.stone_images import (
    CENTRE,
    RADIUS,
    SIDE,
    add_frame,
    add_texture,
    add_watermark,
    cast_shadow,
    disc,
    draw_stone,
    grey_backdrop,
    mirror_below,
    stone_image,
    white_backdrop,
)

COLOURS = {"ruby": (180, 20, 50), "pale": (200, 210, 235), "onyx": (30, 30, 32), "smoky": (110, 95, 85)}
RUBY, SAPPHIRE = COLOURS["ruby"], (30, 80, 190)
TRUE_BOX = np.array([CENTRE[0] - RADIUS, CENTRE[1] - RADIUS, CENTRE[0] + RADIUS, CENTRE[1] + RADIUS])
#: Tolerance, slightly more than three pixels at the search resolution: a letter's stroke may be attached.
PIXELS = 8

AROUND = {
    "nothing": lambda colour: stone_image(colour),
    "shadow": lambda colour: draw_stone(cast_shadow(grey_backdrop()), colour),
    "mirror image": lambda colour: mirror_below(stone_image(colour)),
    "texture": lambda colour: add_texture(stone_image(colour), strength=6),
    "watermark": lambda colour: add_watermark(stone_image(colour)),
    "frame": lambda colour: add_frame(stone_image(colour)),
}


def no_network(view: np.ndarray, model: str) -> np.ndarray:
    raise AssertionError("the network was used")


def overlap(stone: Stone, truth: np.ndarray) -> float:
    """IoU of the mask, resized to the image, with the true pixels."""
    assert stone.mask is not None
    rows = np.arange(truth.shape[0]) * stone.mask.shape[0] // truth.shape[0]
    columns = np.arange(truth.shape[1]) * stone.mask.shape[1] // truth.shape[1]
    mask = stone.mask[rows][:, columns] >= 128
    return float((mask & truth).sum() / (mask | truth).sum())


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("around", AROUND)
def test_the_stone_alone_is_found_without_the_network(
    around: str, colour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segmentation, "soft_mask", no_network)
    stone = find_stone(AROUND[around](COLOURS[colour]), "auto")
    assert stone.method == "classical+canny"
    assert stone.box is not None
    assert np.abs(np.array(stone.box) - TRUE_BOX).max() <= PIXELS
    assert overlap(stone, disc()) > 0.95
    assert stone.quality is not None
    assert stone.quality > 0.9


def test_a_near_white_stone_on_white_is_found() -> None:
    image = draw_stone(white_backdrop(), (238, 240, 242), shades=(0.9, 1.03))
    stone = find_stone(image, "classical")
    assert stone.box is not None
    assert np.abs(np.array(stone.box) - TRUE_BOX).max() <= PIXELS
    assert overlap(stone, disc()) > 0.95


def test_a_hole_in_the_stone_is_filled() -> None:
    image = stone_image(RUBY)
    image[disc(45)] = grey_backdrop()[disc(45)]
    assert overlap(find_stone(image, "classical"), disc()) > 0.95


def test_the_largest_or_all_of_several_stones() -> None:
    image = draw_stone(draw_stone(white_backdrop(), RUBY, (90, 170), 70), SAPPHIRE, (260, 170), 60)
    ruby, sapphire = disc(70, (90, 170)), disc(60, (260, 170))
    largest, both = (find_stone(image, "classical", stones=stones) for stones in ("largest", "all"))
    assert overlap(largest, ruby) > 0.95
    assert overlap(both, ruby | sapphire) > 0.95
    assert np.abs(np.array(largest.box) - (20, 100, 160, 240)).max() <= PIXELS
    assert np.abs(np.array(both.box) - (20, 100, 320, 240)).max() <= PIXELS


@pytest.mark.parametrize(
    "image",
    [
        grey_backdrop(),
        cast_shadow(grey_backdrop()),
        add_texture(grey_backdrop(), 6),
        add_frame(grey_backdrop()),
    ],
    ids=["blank", "shadow", "texture", "frame"],
)
def test_an_image_without_a_stone_has_no_mask_and_no_box(image: np.ndarray) -> None:
    stone = find_stone(image, "classical")
    assert (stone.method, stone.box, stone.mask, stone.quality) == ("original", None, None, None)


@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (9, 9), (30, 400), (3, 3000)])
def test_any_size_is_accepted(shape: tuple[int, int]) -> None:
    stone = find_stone(np.full((*shape, 3), 128, np.uint8), "classical")
    assert stone.method == "original"
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert find_stone(noise, "classical").edges.ndim == 2


@pytest.mark.heavy
def test_the_network_is_used_if_the_background_is_not_uniform() -> None:
    stripes = grey_backdrop()
    stripes[:, :120], stripes[:, 240:] = (150, 190, 120), (120, 70, 60)
    image = draw_stone(stripes, SAPPHIRE)
    assert find_stone(image, "classical").method != "classical+canny"
    stone = find_stone(image, "auto")
    assert stone.method == "rembg+canny"
    assert overlap(stone, disc()) > 0.85


@pytest.mark.parametrize("found", [0, 255])
def test_an_empty_or_full_network_mask_is_rejected(found: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        segmentation, "soft_mask", lambda view, model: np.full(view.shape[:2], found, np.uint8)
    )
    stone = find_stone(stone_image(RUBY), "rembg")
    assert (stone.method, stone.mask) == ("canny", None)
    assert stone.box is not None
    assert np.abs(np.array(stone.box) - TRUE_BOX).max() <= PIXELS


def test_a_loose_network_mask_is_tightened_to_the_stone(monkeypatch: pytest.MonkeyPatch) -> None:
    def loose(view: np.ndarray, model: str) -> np.ndarray:
        scale = view.shape[0] / SIDE
        y, x = np.mgrid[: view.shape[0], : view.shape[1]]
        return np.where(np.hypot(x - 200 * scale, y - 170 * scale) < 94 * scale, 255, 0).astype(np.uint8)

    monkeypatch.setattr(segmentation, "soft_mask", loose)
    stone = find_stone(stone_image(RUBY), "rembg")
    assert overlap(stone, disc()) > 0.96
    assert np.abs(np.array(stone.box) - TRUE_BOX).max() <= 2
