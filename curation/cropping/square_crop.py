"""Find an image's stone and cut out the square around it."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from curation.cropping.params import CropParams
from curation.cropping.segmentation import Box, Stone, find_stone
from curation.imaging.centre_crop import stored_side
from curation.imaging.resize import halve
from gemkit.errors import UserError
from gemkit.image_codec import Decoded, ImageError, decode

#: Minimum side of the decoded image, in pixels and as a multiple of the stored crop; enough for most
#: stones.
_LEAST_SIDE, _LEAST_SHARE = 300, 1.5


class SegmentedImage(NamedTuple):
    """A decoded image, RGB, uint8, and its stone; a pixel is `factor` × `factor` pixels of the source."""

    image: np.ndarray
    stone: Stone
    factor: int


class Crop(NamedTuple):
    """`image`: RGB or RGBA, uint8, `stored_side(size)` square; the boxes in pixels of the source.

    `stone_box` is None if no stone was found. `mask_area`, a share of the source, and `quality`, as in
    `Stone`, are None without a mask.
    """

    image: np.ndarray
    stone_box: Box | None
    crop_box: Box
    method: str
    mask_area: float | None
    quality: float | None


def segment_file(path: Path, params: CropParams) -> SegmentedImage:
    """Find the stone of an image file, decoded no larger than its crop needs.

    Raises UserError when the file is missing or broken.
    """
    decoded = read_image(path, max(_LEAST_SIDE, round(_LEAST_SHARE * stored_side(params.size))))
    stone = find_stone(decoded.pixels, params.removal, params.model, params.stones)
    if decoded.factor > 1 and stone.box:
        visible = square_around(stone.box, decoded.pixels.shape, params.margin)
        if visible[2] - visible[0] < params.size:  # a small stone in a large image
            stone = stone._replace(box=enlarged(stone.box, decoded.factor))
            decoded = read_image(path)
    return SegmentedImage(decoded.pixels, stone, decoded.factor)


def read_image(path: Path, at_least: int | None = None) -> Decoded:
    """Decode an image file. Raises UserError when it is missing or broken."""
    try:
        return decode(path.read_bytes(), at_least)
    except OSError as error:
        raise UserError(
            f"Image '{path}' cannot be read ({error.strerror}); check its path, or crawl its site again."
        ) from None
    except ImageError as error:
        raise UserError(
            f"Image '{path}' cannot be decoded ({error}); use another file, or run 'gemcurate clean' again."
        ) from None


def cut_stone(segmented: SegmentedImage, params: CropParams) -> Crop:
    """Cut out the stone's square, on the background set in `params`; without a mask on its own background."""
    image, stone, factor = segmented
    visible = square_around(stone.box, image.shape, params.margin)
    stored, side = stored_square(visible, params.size), stored_side(params.size)
    if stone.mask is None or params.background == "kept":
        pixels = _sampled(_halved(_cut(image, stored, cv2.BORDER_REPLICATE), side), side)
        if params.background == "transparent":
            pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA)
    else:
        pixels = _without_background(image, stone.mask, stored, side, params.background)
    area = None if stone.mask is None else float(stone.mask.mean() / 255)
    stone_box = None if stone.box is None else enlarged(stone.box, factor)
    return Crop(pixels, stone_box, enlarged(visible, factor), stone.method, area, stone.quality)


def square_around(box: Box | None, shape: tuple[int, ...], margin: float) -> Box:
    """The visible square: around the stone, with a margin of `margin` times its longer side on each side.

    Without a box it contains the whole image, centred. It may extend beyond the image.
    """
    left, top, right, bottom = box or (0, 0, shape[1], shape[0])
    longer = max(right - left, bottom - top)
    return _square((left + right) / 2, (top + bottom) / 2, longer * (1 + 2 * margin) if box else longer)


def stored_square(visible: Box, size: int) -> Box:
    """The stored square of an image whose visible square is scaled to `size` × `size` pixels."""
    left, top, right, bottom = visible
    return _square((left + right) / 2, (top + bottom) / 2, (right - left) * stored_side(size) / size)


def enlarged(box: Box, factor: int) -> Box:
    """The box in an image `factor` times as large."""
    left, top, right, bottom = box
    return left * factor, top * factor, right * factor, bottom * factor


def _square(x: float, y: float, side: float) -> Box:
    side = max(1, round(side))
    left, top = round(x - side / 2), round(y - side / 2)
    return left, top, left + side, top + side


def _without_background(
    image: np.ndarray, mask: np.ndarray, box: Box, side: int, background: str
) -> np.ndarray:
    """The pixels under a box, weighted by the mask, on black, on white or on nothing (RGBA)."""
    full = cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    source, alpha = (_halved(_cut(whole, box, cv2.BORDER_CONSTANT), side) for whole in (image, full))
    # Weighted before resampling, or the old background would bleed into the edge.
    pixels = _sampled(cv2.multiply(source, cv2.merge([alpha] * 3), scale=1 / 255), side)
    if background == "black":
        return pixels
    alpha = _sampled(alpha, side)
    if background == "white":
        return cv2.add(pixels, cv2.merge([255 - alpha] * 3))
    colour = np.divide(
        pixels * 255.0, alpha[..., None], out=np.zeros(pixels.shape), where=alpha[..., None] > 0
    )
    return np.dstack([colour.clip(0, 255).round().astype(np.uint8), alpha])


def _cut(image: np.ndarray, box: Box, border: int) -> np.ndarray:
    """The pixels under a box; outside the image they are filled as `border` says."""
    height, width = image.shape[:2]
    left, top, right, bottom = box
    inside = image[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    beyond = max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0)
    if not any(beyond):
        return inside
    return cv2.copyMakeBorder(inside, *beyond, border, value=(0, 0, 0))


def _halved(image: np.ndarray, side: int) -> np.ndarray:
    """A square image halved while it remains at least `side` pixels wide: the fastest way to shrink it."""
    while len(image) >= 2 * side:
        image = halve(image)
    return image


def _sampled(image: np.ndarray, side: int) -> np.ndarray:
    method = cv2.INTER_LINEAR if len(image) > side else cv2.INTER_CUBIC
    return cv2.resize(image, (side, side), interpolation=method)
