"""Crop one image: find its stone and cut out the square around it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from curation.cropping.params import CropParams
from curation.cropping.segmentation import NO_STONE, Box, Method, Stone, find_stone
from curation.cropping.square_crop import cut_square, enlarged, square_around
from curation.imaging.centre_crop import cut_centre, stored_side
from curation.imaging.composite import on_colour
from gemkit.arrays import Bytes, is_image
from gemkit.errors import UserError
from gemkit.image_codec import Decoded, ImageError, decode, encode_jpeg, encode_png

#: Minimum side of the decoded image, in pixels and as a multiple of the stored crop; enough for most
#: stones.
_LEAST_SIDE, _LEAST_SHARE = 300, 1.5

_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class CropRecord:
    """Where the stone of an image is and how it was found: the columns of CROPS without image and sha256.

    Boxes are left, top, right, bottom in pixels of the image. `stone_box` is None if no stone was found;
    `crop_box` is the visible square, which may extend beyond the image. `mask_area`, the share of the image
    that is stone, and `quality`, the share of the mask's contour that runs along edges, are None without a
    mask.
    """

    stone_box: Box | None
    crop_box: Box
    method: Method
    mask_area: float | None
    quality: float | None

    def to_json(self) -> dict[str, Any]:
        """The columns by name."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> "CropRecord":
        """The record of `to_json`; its boxes may have become lists."""
        stone_box = record["stone_box"] and tuple(record["stone_box"])
        return cls(**record | {"stone_box": stone_box, "crop_box": tuple(record["crop_box"])})


class Crop(NamedTuple):
    """The crop of an image.

    `image`: what is stored, uint8 [side, side, 3 or 4], √2 times as wide as `visible`, so that a rotation has
    real pixels in its corners; `visible`: its centre, [size, size, 3 or 4]; `record`: where it is in the
    image; `stone`: the intermediate results, of which a figure can be drawn.
    """

    image: Bytes
    visible: Bytes
    record: CropRecord
    stone: Stone

    def encoded(self) -> bytes:
        """The stored image as a file: PNG if it has transparency, else JPEG."""
        return (encode_jpeg if self.image.shape[2] == 3 else encode_png)(self.image)


class CroppedFile(NamedTuple):
    """The crop of a file, and the pixels that it was cut from, each `factor` × `factor` of the file's."""

    pixels: Bytes
    crop: Crop
    factor: int

    @property
    def record(self) -> CropRecord:
        """The crop's record, with boxes in pixels of the upright file."""
        found = self.crop.record
        return replace(
            found,
            stone_box=found.stone_box and enlarged(found.stone_box, self.factor),
            crop_box=enlarged(found.crop_box, self.factor),
        )


def crop_image(pixels: Bytes, settings: CropParams = CropParams(), stone: Stone | None = None) -> Crop:
    """Find the stone of an image and cut out the square around it.

    `pixels`: RGB or RGBA, uint8 [height, width, 3 or 4], upright; transparent pixels are composited on white.
    `stone`: that of the image, if it is known already. Without a stone the whole image is the crop. Raises
    UserError for pixels of another form, and when the weights of the background model are missing and cannot
    be fetched.
    """
    _check_pixels(pixels)
    pixels = on_colour(pixels, _WHITE)
    if stone is None:
        stone = find_stone(pixels, settings.removal, settings.model, settings.stones)
    visible = square_around(stone.box, pixels.shape, settings.margin)
    image = cut_square(pixels, stone.mask, visible, settings.size, settings.background)
    area = None if stone.mask is None else float(stone.mask.mean() / 255)
    record = CropRecord(stone.box, visible, stone.method, area, stone.quality)
    return Crop(image, cut_centre(image, settings.size), record, stone)


def _check_pixels(pixels: object) -> None:
    if not isinstance(pixels, np.ndarray):
        raise UserError(
            f"Pixels must be an array, not {type(pixels).__name__}; "
            "read a file with np.asarray(Image.open(FILE))."
        )
    if not is_image(pixels):
        raise UserError(
            f"Pixels must be uint8 of the shape [height, width, 3 or 4], not {pixels.dtype} "
            f"{list(pixels.shape)}; convert the image to RGB."
        )


def crop_file(path: Path, settings: CropParams) -> CroppedFile:
    """Crop an image file, decoded no larger than its crop needs.

    Raises UserError when the file is missing or broken, and as `crop_image`.
    """
    decoded = read_image(path, max(_LEAST_SIDE, round(_LEAST_SHARE * stored_side(settings.size))))
    crop = crop_image(decoded.pixels, settings)
    left, _, right, _ = crop.record.crop_box
    if decoded.factor > 1 and crop.stone.box and right - left < settings.size:
        # A small stone in a large image.
        stone = crop.stone._replace(box=enlarged(crop.stone.box, decoded.factor))
        decoded = read_image(path)
        crop = crop_image(decoded.pixels, settings, stone)
    return CroppedFile(decoded.pixels, crop, decoded.factor)


def keep_file_whole(path: Path, settings: CropParams) -> CroppedFile:
    """Crop an image file as if it had no stone. Raises UserError when it is missing or broken."""
    decoded = read_image(path)
    return CroppedFile(decoded.pixels, crop_image(decoded.pixels, settings, NO_STONE), decoded.factor)


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
