"""The stone of an image, cut out on its square."""

from typing import NamedTuple

import cv2
import numpy as np

from curation.centre import stored_side
from curation.params import CropParams
from curation.stone import Box, Stone, find_stone, on_black


class Crop(NamedTuple):
    """`image`: RGB, uint8, `stored_side(size)` square; boxes in source pixels, `stone_box` None if none."""

    image: np.ndarray
    stone_box: Box | None
    crop_box: Box
    method: str
    mask_area: float | None


def crop_image(image: np.ndarray, params: CropParams) -> Crop:
    """The stone of an upright RGB image (height, width, 3), uint8, on its square."""
    return cut_stone(image, find_stone(image, params.model), params)


def cut_stone(image: np.ndarray, stone: Stone, params: CropParams) -> Crop:
    """The stone on its square: on black where a mask was found, else on its own background."""
    mask_area = None if stone.mask is None else float(stone.mask.mean())
    crop_box = square_around(stone.box, image.shape, params.margin)
    source = image if stone.mask is None else on_black(image, stone.mask)
    side = stored_side(params.size)
    border = cv2.BORDER_REPLICATE if stone.mask is None else cv2.BORDER_CONSTANT
    stored = _cut(source, _widened(crop_box, side / params.size), border)
    shrinks = stored.shape[0] > side
    stored = cv2.resize(stored, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return Crop(stored, stone.box, crop_box, stone.method, mask_area)


def square_around(box: Box | None, shape: tuple[int, ...], margin: float) -> Box:
    """The visible square: around the stone with `margin` times its longer side left free on each side.

    Without a box, the whole image in the middle. It may reach beyond the image.
    """
    left, top, right, bottom = box or (0, 0, shape[1], shape[0])
    longer = max(right - left, bottom - top)
    return _square((left + right) / 2, (top + bottom) / 2, longer * (1 + 2 * margin) if box else longer)


def _widened(box: Box, factor: float) -> Box:
    return _square((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, (box[2] - box[0]) * factor)


def _square(x: float, y: float, side: float) -> Box:
    side = max(1, round(side))
    left, top = round(x - side / 2), round(y - side / 2)
    return left, top, left + side, top + side


def _cut(image: np.ndarray, box: Box, border: int) -> np.ndarray:
    """The pixels under a box that may reach beyond the image, filled there as `border` says."""
    height, width = image.shape[:2]
    left, top, right, bottom = box
    inside = image[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    beyond = max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0)
    return cv2.copyMakeBorder(inside, *beyond, border, value=(0, 0, 0))
