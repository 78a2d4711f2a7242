"""Pictures small enough to lie inside the page: thumbnails of stored images, as data URIs."""

import base64
import io
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from PIL import Image

from curation.report.data import Images
from gemkit.image_codec import ImageError, decode
from gemkit.progress import Progress

#: Longer side of a thumbnail in pixels, and of the icon beside the name of a class.
SIDE, ICON = 224, 80
_QUALITY = 78


class Frame(NamedTuple):
    """A box drawn on a picture, in shares of its sides: what it marks, and where it lies."""

    kind: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Photo:
    """A picture with its captions; without `source` it could not be shown, and `error` says why."""

    sha256: str
    title: str
    kept: bool
    source: str | None
    error: str | None
    width: int
    height: int
    notes: tuple[str, ...] = ()
    frames: tuple[Frame, ...] = ()


class Album:
    """Thumbnails of stored images, each decoded once; counts them and those that could not be shown."""

    def __init__(self, images: Images, progress: Progress):
        self._images, self._progress = images, progress
        self._photos: dict[tuple[int, int], Photo] = {}

    @property
    def pictures(self) -> int:
        """How many images were looked at."""
        return len({row for row, _ in self._photos})

    @property
    def unreadable(self) -> int:
        """How many of them could not be shown."""
        return len({row for (row, _), photo in self._photos.items() if photo.error})

    def photo(self, row: int, *notes: str, side: int = SIDE) -> Photo:
        """The thumbnail of the image at index `row`."""
        if (row, side) not in self._photos:
            self._photos[row, side] = self._load(row, side)
            self._progress.advance()
        return replace(self._photos[row, side], notes=notes)

    def _load(self, row: int, side: int) -> Photo:
        images = self._images
        blank = Photo(images.sha256[row], images.name(row), bool(images.keep[row]), None, None, side, side)
        # What measuring could not decode, in a worker of its own that may die, is not tried again here.
        if error := images.errors[row]:
            return replace(blank, error=error)
        try:
            pixels = decode(images.file(row).read_bytes()).pixels
        except OSError as failure:
            return replace(blank, error=f"the file cannot be read: {failure.strerror}")
        except ImageError as failure:
            return replace(blank, error=str(failure))
        height, width = pixels.shape[:2]
        return replace(blank, source=thumbnail(pixels, side), width=width, height=height)


def thumbnail(pixels: np.ndarray, side: int = SIDE) -> str:
    """An RGB image of shape (height, width, 3), uint8, as the data URI of a picture within side × side."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.BOX, reducing_gap=2.0)
    return data_uri(image)


def data_uri(image: Image.Image) -> str:
    """An RGB image as the data URI of a WebP file."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
