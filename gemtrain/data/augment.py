"""Augmentation of training images, each on its own, and the orientations of test-time augmentation."""

import torch
from torch import Tensor
from torch.nn import functional

from gemtrain.device import to_device
from gemtrain.recipe import Augmentation


def augmented(
    images: Tensor, rows: Tensor, augmentation: Augmentation, generator: torch.Generator, device: torch.device
) -> Tensor:
    """`rows` of uint8 images [N, H, W, C] as [B, C, H, W] on a device, augmented, values 0 to 255.

    Random numbers come from a CPU generator, so that every device sees the same augmentation. Pixels from
    outside an image repeat its edge, which is background.
    """
    batch = to_device(_moved(images, rows, augmentation, generator), device)
    if augmentation.rotate or augmentation.zoom or augmentation.shear or augmentation.crop:
        batch = _warped(batch, augmentation, generator)
    return batch


def _moved(images: Tensor, rows: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Mirror, and shift by whole pixels: only moves pixels, so it is exact and much cheaper than a warp."""
    count, (height, width) = len(rows), images.shape[1:3]
    y, x = torch.arange(height).repeat(count, 1), torch.arange(width).repeat(count, 1)
    if augmentation.mirror:
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        x = torch.where(mirrored, x.flip(1), x)
    if augmentation.shift:
        move = (2 * torch.rand(2, count, 1, generator=generator) - 1) * augmentation.shift
        y = (y + (move[0] * height).round().long()).clamp(0, height - 1)
        x = (x + (move[1] * width).round().long()).clamp(0, width - 1)
    rows, y, x = (to_device(index, images.device) for index in (rows, y, x))
    return images[rows[:, None, None], y[:, :, None], x[:, None, :]].permute(0, 3, 1, 2)


def _warped(batch: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Crop, zoom, rotate and shear in one step: one affine map per image, interpolated once."""
    angle, slant, grow, cut, right, down = 2 * torch.rand(6, len(batch), generator=generator) - 1
    angle = (augmentation.rotate * angle).deg2rad()
    slant = (augmentation.shear * slant).deg2rad().tan()
    side = 1 - augmentation.crop * cut.abs()
    scale = side / (1 + augmentation.zoom * grow)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    # From a position in the result, -1 to 1 on each axis, to its position in the image.
    across = torch.stack([cos, slant * cos - sin, (1 - side) * right], dim=1)
    along = torch.stack([sin, slant * sin + cos, (1 - side) * down], dim=1)
    affine = to_device(torch.stack([across, along], dim=1), batch.device)
    return _sampled(batch, affine)


def _sampled(batch: Tensor, affine: Tensor) -> Tensor:
    """Images [B, C, H, W] under affine maps [B, 2, 3] from positions in the result to those in the image."""
    grid = functional.affine_grid(affine, list(batch.shape), align_corners=False)
    return functional.grid_sample(batch.float(), grid, padding_mode="border", align_corners=False)


def oriented(batch: Tensor, number: int, views: int) -> Tensor:
    """Images [B, C, H, H] in orientation `number` (from 0) of 1, 2, 4, 8 or 16 `views`.

    The first is the image itself, every second one is mirrored, and each pair is rotated by an equal step of
    the circle. Quarter turns and mirroring move pixels unchanged; eighths of a turn are interpolated.
    """
    if number % 2:
        batch = batch.flip(3)
    quarters, eighth = divmod(number // 2 * 16 // views, 2)
    if eighth:
        half = 0.5**0.5
        affine = torch.tensor([[half, -half, 0.0], [half, half, 0.0]], device=batch.device)
        batch = _sampled(batch, affine.expand(batch.shape[0], 2, 3))
    return batch.rot90(quarters, (2, 3))
