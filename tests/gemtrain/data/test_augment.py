"""Augmentation, and the orientations of test-time augmentation."""

from typing import Any

import numpy as np
import pytest
import torch

from gemtrain.data.augment import augmented, oriented
from gemtrain.recipe import Augmentation
from tests.helpers.textures import texture


def changed(image: np.ndarray, count: int, **changes: Any) -> torch.Tensor:
    """`count` augmented copies of one image, [count, 3, H, W] float32."""
    images, rows = torch.from_numpy(image)[None], torch.zeros(count, dtype=torch.int64)
    generator = torch.Generator().manual_seed(0)
    return augmented(images, rows, Augmentation(**changes), generator, torch.device("cpu")).float()


def test_augmentation_is_drawn_for_each_image() -> None:
    image = texture(1, 1)
    plain = torch.from_numpy(image).permute(2, 0, 1).float()
    batch = changed(image, 64, mirror=True)
    kept = [torch.equal(one, plain) for one in batch]
    mirrored = [torch.equal(one, plain.flip(2)) for one in batch]
    assert all(one != other for one, other in zip(kept, mirrored, strict=True)) and 10 < sum(kept) < 54
    shifted = changed(image, 64, shift=0.1)
    assert len({one.numpy().tobytes() for one in shifted}) > 20
    for one in shifted:
        assert any(
            torch.equal(one[:, 8:40, 8:40], plain[:, 8 + y : 40 + y, 8 + x : 40 + x])
            for y in range(-5, 6)
            for x in range(-5, 6)
        )


@pytest.mark.parametrize(
    "changes", [{"rotate": 180}, {"zoom": 0.5}, {"shear": 30}, {"crop": 0.5}, {"rotate": 20, "crop": 0.3}]
)
def test_a_warp_changes_no_colour_and_is_drawn_for_each_image(changes: dict[str, float]) -> None:
    plain = np.full((32, 32, 3), (200, 60, 7), dtype=np.uint8)
    assert torch.allclose(changed(plain, 8, **changes), torch.tensor([200.0, 60, 7]).view(3, 1, 1), atol=1e-3)
    image = texture(1, 1)
    batch = changed(image, 32, **changes)
    assert len({one.numpy().tobytes() for one in batch}) == 32 and torch.equal(
        batch, changed(image, 32, **changes)
    )
    nothing = changed(image, 4, **dict.fromkeys(changes, 0.0))
    assert torch.equal(nothing, torch.from_numpy(image).permute(2, 0, 1).float().expand(4, -1, -1, -1))


def spots(**changes: float) -> torch.Tensor:
    """Where a spot 16 pixels right of and 8 below the centre moves to: [256, (right, down)] of the centre."""
    y, x = np.mgrid[-48:48, -48:48] + 0.5
    spot = 255 * np.exp(-((x - 16) ** 2 + (y - 8) ** 2) / 20)
    batch = changed(np.repeat(spot[..., None], 3, axis=2).astype(np.uint8), 256, **changes)[:, 0]
    places = [torch.from_numpy(grid).float() for grid in (x, y)]
    return torch.stack([(batch * place).sum((1, 2)) / batch.sum((1, 2)) for place in places], dim=1)


@pytest.mark.heavy
def test_warps_reach_their_limits_but_not_beyond() -> None:
    def close(found: torch.Tensor, expected: float) -> bool:
        return bool((found - expected).abs().max() < 0.3)

    def spans(found: torch.Tensor, least: float, most: float) -> bool:
        """Within the limits, and close to both."""
        slack = 0.03 * (most - least)
        return bool(
            least - slack < found.min() < least + 2 * slack and most - 2 * slack < found.max() < most + slack
        )

    far, angle = 320**0.5, np.degrees(np.arctan2(8, 16))
    turned = spots(rotate=30)
    assert close(turned.norm(dim=1), far)
    assert spans(torch.atan2(turned[:, 1], turned[:, 0]).rad2deg() - angle, -30, 30)
    zoomed = spots(zoom=0.25)
    assert close(zoomed[:, 0] - 2 * zoomed[:, 1], 0) and spans(zoomed.norm(dim=1) / far, 0.75, 1.25)
    sheared = spots(shear=20)
    assert close(sheared[:, 1], 8)
    assert spans(sheared[:, 0] - 16, *(8 * np.tan(np.radians((-20, 20)))))
    cut = spots(crop=0.25)
    # Where the spot is in a square of side s at most 24 pixels smaller than 96, in units of the square.
    assert spans(cut[:, 0], (16 - 12) / 0.75, (16 + 12) / 0.75)


def test_views_are_even_rotations_of_the_image_and_of_its_mirror_image() -> None:
    image = torch.from_numpy(texture(1, 1)).permute(2, 0, 1).float()
    turned = [one.rot90(quarters, (1, 2)) for quarters in range(4) for one in (image, image.flip(2))]
    for views, exact in ((1, turned[:1]), (2, turned[:2]), (4, turned[:2] + turned[4:6]), (8, turned)):
        found = [oriented(image[None], number, views)[0] for number in range(views)]
        assert all(torch.equal(one, other) for one, other in zip(found, exact, strict=True))
    y, x = np.mgrid[-48:48, -48:48] + 0.5
    spot = torch.from_numpy(255 * np.exp(-((x - 16) ** 2 + (y - 8) ** 2) / 20)).float()
    angles = []
    for number in range(16):
        seen = oriented(spot[None, None], number, 16)[0, 0]
        up, right = ((seen.numpy() * place).sum() for place in (-y, x))
        angles.append(np.degrees(np.arctan2(up, right)))
    own = np.degrees(np.arctan2(-8, 16))
    expected = [turn + angle for turn in range(0, 360, 45) for angle in (own, 180 - own)]
    assert np.allclose((np.array(angles) - expected + 180) % 360, 180, atol=0.5)
