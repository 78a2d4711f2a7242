"""The command `steps`: draw how the stones of a few kept images are found, as one figure for the docs."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from curation.cropping.crop import KeptImage, kept_images
from curation.cropping.crop_image import CroppedFile, crop_file, keep_file_whole
from curation.cropping.params import CropParams
from curation.cropping.rembg_weights import fetch
from curation.inspect.visualise import draw_steps, step_strip
from gemkit.executor.base import GivenUp, Limits
from gemkit.executor.local import map_items
from gemkit.image_codec import encode_png
from gemkit.project import Project
from gemkit.tables import write_bytes

#: The figure, in the project's folder of figures.
FIGURE = "canny_steps.png"
_ROWS = 6


def steps(
    project: Project, settings: CropParams = CropParams(), limits: Limits = Limits()
) -> dict[str, object]:
    """Write plots/canny_steps.png, the steps of an image of each of the first varieties; returns a summary.

    An image that exceeds the limits is drawn whole, as `crop` keeps it. Raises UserError when a table, an
    image or the model's weights are missing.
    """
    examples = _examples(project)
    if settings.removal != "classical":
        fetch(settings.model)
    strips = dict(_drawn(_strip, examples, settings, limits))
    strips |= _drawn(_whole_strip, [image for image in examples if image not in strips], settings, limits)
    figure = project.plots / FIGURE
    write_bytes(figure, draw_steps(sorted((image.variety, strip) for image, strip in strips.items())))
    return {"images": len(strips), "written": str(figure)}


def _examples(project: Project) -> list[KeptImage]:
    """The kept image with the smallest SHA-256 of each of the first _ROWS varieties by name."""
    first = {image.variety: image for image in reversed(kept_images(project))}
    return list(islice((first[variety] for variety in sorted(first)), _ROWS))


def _drawn(
    draw: Callable[..., bytes],
    images: list[KeptImage],
    settings: CropParams,
    limits: Limits,
) -> Iterator[tuple[KeptImage, bytes]]:
    """Each image that stays within the limits, and its strip as PNG."""
    for finished in map_items(partial(draw, settings=settings), images, limits):
        yield from ((image, strip) for image, strip in finished if not isinstance(strip, GivenUp))


def _strip(image: KeptImage, settings: CropParams) -> bytes:
    return _encoded(crop_file(image.path, settings))


def _whole_strip(image: KeptImage, settings: CropParams) -> bytes:
    return _encoded(keep_file_whole(image.path, settings))


def _encoded(cropped: CroppedFile) -> bytes:
    return encode_png(step_strip(cropped.pixels, cropped.crop))
