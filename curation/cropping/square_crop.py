"""The square around a stone, and its pixels on another background."""

import cv2
import numpy as np

from curation.cropping.params import Background
from curation.cropping.segmentation import Box
from curation.imaging.centre_crop import stored_side
from curation.imaging.resize import halve
from gemkit.arrays import Array, Bytes


def cut_square(image: Bytes, mask: Bytes | None, visible: Box, size: int, background: Background) -> Bytes:
    """The stored square around the visible one, which is scaled to `size` × `size` pixels.

    `image`: RGB [height, width, 3]; `mask`: alpha of the stone, of any size, None to keep the background.
    """
    stored, side = stored_square(visible, size), stored_side(size)
    if mask is not None and background != "kept":
        return np.asarray(_without_background(image, mask, stored, side, background), np.uint8)
    pixels = _sampled(_halved(_cut(image, stored, cv2.BORDER_REPLICATE), side), side)
    if background == "transparent":
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA)
    return np.asarray(pixels, np.uint8)


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


def _without_background(image: Array, mask: Array, box: Box, side: int, background: Background) -> Array:
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


def _cut(image: Array, box: Box, border: int) -> Array:
    """The pixels under a box; outside the image they are filled as `border` says."""
    height, width = image.shape[:2]
    left, top, right, bottom = box
    inside = image[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    beyond = max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0)
    if not any(beyond):
        return inside
    return cv2.copyMakeBorder(inside, *beyond, border, value=(0, 0, 0))


def _halved(image: Array, side: int) -> Array:
    """A square image halved while it remains at least `side` pixels wide: the fastest way to shrink it."""
    while len(image) >= 2 * side:
        image = halve(image)
    return image


def _sampled(image: Array, side: int) -> Array:
    method = cv2.INTER_LINEAR if len(image) > side else cv2.INTER_CUBIC
    return cv2.resize(image, (side, side), interpolation=method)
