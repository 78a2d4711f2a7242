"""The command `steps`: draw how the stones of a few kept images are found, as one figure for the docs."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from curation.cropping.crop import KeptImage, kept_images
from curation.cropping.crop_image import CroppedFile, crop_file, keep_file_whole
from curation.cropping.params import CropParams, read_crop
from curation.cropping.rembg_weights import fetch
from curation.inspect.visualise import draw_steps, step_strip
from curation.params import read_limits
from gemkit.executor.base import GivenUp, Limits
from gemkit.executor.local import map_items
from gemkit.image_codec import encode_png
from gemkit.tables import write_bytes

FIGURE = Path("plots/canny_steps.png")
_ROWS = 6


def steps(params_path: Path) -> dict[str, object]:
    """Write FIGURE, the steps of the first image of each of the first varieties; returns a summary.

    An image that exceeds the limits is drawn whole, as `crop` keeps it. Raises UserError when a table, an
    image or the model's weights are missing.
    """
    params, limits = read_crop(params_path), read_limits(params_path, "crop")
    examples = _examples()
    if params.removal != "classical":
        fetch(params.model)
    strips = dict(_drawn(_strip, examples, params, limits))
    strips |= _drawn(_whole_strip, [image for image in examples if image not in strips], params, limits)
    write_bytes(FIGURE, draw_steps(sorted((image.variety, strip) for image, strip in strips.items())))
    return {"images": len(strips), "written": str(FIGURE)}


def _examples() -> list[KeptImage]:
    """The kept image with the smallest SHA-256 of each of the first _ROWS varieties by name."""
    first = {image.variety: image for image in reversed(kept_images())}
    return list(islice((first[variety] for variety in sorted(first)), _ROWS))


def _drawn(
    draw: Callable[..., bytes],
    images: list[KeptImage],
    params: CropParams,
    limits: Limits,
) -> Iterator[tuple[KeptImage, bytes]]:
    """Each image that stays within the limits, and its strip as PNG."""
    for finished in map_items(partial(draw, params=params), images, limits):
        yield from ((image, strip) for image, strip in finished if not isinstance(strip, GivenUp))


def _strip(image: KeptImage, params: CropParams) -> bytes:
    return _encoded(crop_file(image.path, params))


def _whole_strip(image: KeptImage, params: CropParams) -> bytes:
    return _encoded(keep_file_whole(image.path, params))


def _encoded(cropped: CroppedFile) -> bytes:
    return encode_png(step_strip(cropped.pixels, cropped.crop))
