"""Prepare user-supplied images like the training images of a model: cropped, resized and encoded alike.

Runs in worker processes, so it avoids torch; cropping code is imported only where needed.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from curation.cropping.params import CropParams, CropSettings
from gemkit.arrays import Bytes, is_image
from gemkit.errors import UserError
from gemkit.executor.base import GivenUp, Limits
from gemkit.executor.local import map_in_order
from gemtrain.data.pixel_cache import MissingBand, decode_one
from gemtrain.importers.image_folder import SUFFIXES
from gemtrain.importers.normalise import Undecodable, normalise

if TYPE_CHECKING:
    from curation.cropping.crop_image import CroppedFile
    from gemtrain.model_metadata import ModelMetadata

#: Left, top, right, bottom, pixels; defined here since predictions of uncropped images need no `curation`.
Box = tuple[int, int, int, int]

#: Limits of one image; enough for the largest background model.
_LIMITS = Limits(seconds=120, memory_mb=8192)

#: Images that may wait for a slow one ahead of them.
_MOST_WAITING = 128


#: An image to prepare: a file, or pixels [height, width, 3] uint8; 4 for a network that takes a fourth band.
Image = Path | Bytes


class PreparedImage(NamedTuple):
    """An image as a network takes it, uint8 [size, size, channels]; `file` is None if it was not a file.

    `crop_box` is in pixels of the upright image, `method` as in data/crops; None if nothing is cropped.
    """

    file: Path | None
    pixels: Bytes
    crop_box: Box | None
    method: str | None


class Skipped(NamedTuple):
    """An image that cannot be used, and the reason; `file` is None if it was not a file."""

    file: Path | None
    reason: str


def find_images(paths: Sequence[Path]) -> list[Path]:
    """The given files and the images below the given folders, each once.

    Raises UserError for a missing path, and for a folder without images.
    """
    files: dict[Path, None] = {}
    for path in paths:
        if _is(path.is_file):
            files[path] = None
            continue
        if not _is(path.is_dir):
            raise UserError(f"There is no file or folder '{path}'; check its path.")
        inside = sorted(file for file in path.rglob("*") if _is_image(file, path))
        if not inside:
            raise UserError(
                f"The folder '{path}' contains no image ({' '.join(SUFFIXES)}); give another one."
            )
        files |= dict.fromkeys(inside)
    return list(files)


def _is(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except OSError:  # such as a name that is too long
        return False


def _is_image(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return file.suffix.lower() in SUFFIXES and not hidden and file.is_file()


def crop_settings(metadata: "ModelMetadata") -> CropSettings | None:
    """How the training images of a model, given by its `metadata`, were cropped; None if they were not.

    Raises UserError if images cannot be cropped like that here.
    """
    settings = metadata.crop
    if settings is None:
        return None
    try:
        from curation.cropping.crop import VERSION
        from curation.cropping.rembg_weights import fetch, local_weights
    except ImportError as error:
        raise UserError(
            f"This model needs cropped images, and the package '{error.name}' that crops them is missing; "
            "install the whole project ('pip install --editable .')."
        ) from None
    if settings.version != VERSION:
        raise UserError(
            f"The images of '{metadata.dataset}' were cropped by another version of this program; make "
            "the dataset and the model again (dvc repro)."
        )
    if settings.removal != "classical" and local_weights(settings.model) is None:
        fetch(settings.model)
    return settings


def prepare_images(
    images: Sequence[Image], image_size: int, channels: int, crop: CropParams | None
) -> Iterator[PreparedImage | Skipped]:
    """The images in order, a few at a time, with pixels like those of `Images.pixels`.

    Files, which may be broken or hostile, are read in worker processes. Raises UserError for pixels of
    another form.
    """
    prepare = partial(_prepare, image_size=image_size, channels=channels, crop=crop)
    for are_files, run in groupby(images, lambda image: isinstance(image, Path)):
        if are_files:
            yield from _prepare_files(prepare, list(run))
        else:
            yield from map(prepare, run)


def _prepare_files(
    prepare: Callable[[Image], PreparedImage | Skipped], files: Sequence[Image]
) -> Iterator[PreparedImage | Skipped]:
    prepared = map_in_order(prepare, files, _LIMITS, _MOST_WAITING, batch=1)
    for file, image in zip(files, prepared, strict=True):
        yield Skipped(_file(file), f"it {image.reason}") if isinstance(image, GivenUp) else image


def _file(image: Image) -> Path | None:
    return image if isinstance(image, Path) else None


def _prepare(
    image: Image, image_size: int, channels: int, crop: CropParams | None
) -> PreparedImage | Skipped:
    if not isinstance(image, Path):
        _check_pixels(image)
    found = _cropped(image, crop) if crop else _uncropped(image)
    if isinstance(found, Undecodable):
        return Skipped(_file(image), found.text)
    content, crop_box, method = found
    try:
        return PreparedImage(_file(image), decode_one(content, image_size, channels), crop_box, method)
    except MissingBand:
        return Skipped(_file(image), "it has no fourth band, which this model needs")


def _check_pixels(pixels: Bytes) -> None:
    if not is_image(pixels):
        raise UserError(
            f"Pixels must be uint8 of the shape [height, width, 3], not {pixels.dtype} {list(pixels.shape)}; "
            "convert them to 8 bits and RGB."
        )


def _uncropped(image: Image) -> tuple[bytes, None, None] | Undecodable:
    """An image as an imported dataset stores it; or why it cannot be used."""
    normalised = normalise(image)
    return normalised if isinstance(normalised, Undecodable) else (normalised.content, None, None)


def _cropped(image: Image, settings: CropParams) -> tuple[bytes, Box, str] | Undecodable:
    """The visible centre of a crop as `gemcurate balance` keeps it, its box and method; or why not."""
    from curation.cropping.crop_image import crop_image
    from curation.imaging.centre_crop import cut_centre
    from gemkit.image_codec import decode_rgb, encode_jpeg

    if isinstance(image, Path):
        cropped = _cropped_file(image, settings)
        if isinstance(cropped, Undecodable):
            return cropped
        crop, record = cropped.crop, cropped.record
    else:
        crop = crop_image(image, settings)
        record = crop.record
    centre = cut_centre(decode_rgb(crop.encoded()), settings.size)
    return encode_jpeg(centre), record.crop_box, record.method


def _cropped_file(file: Path, settings: CropParams) -> "CroppedFile | Undecodable":
    from curation.cropping.crop_image import crop_file
    from gemkit.image_codec import ImageError, decode

    try:
        decode(file.read_bytes(), at_least=1)  # checks all bytes, but computes few pixels
    except (ImageError, OSError) as error:
        return Undecodable.of(error)
    return crop_file(file, settings)
