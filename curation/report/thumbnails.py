"""Thumbnails of stored images, embedded in the page as data URIs."""

import base64
import io
from dataclasses import dataclass, replace
from typing import NamedTuple

from PIL import Image

from curation.report.data import Images
from gemkit.arrays import Bytes
from gemkit.image_codec import ImageError, decode
from gemkit.progress import Progress

#: Longer side in pixels of a thumbnail, and of the icon next to a class name.
SIDE, ICON = 224, 80
_QUALITY = 78


class Frame(NamedTuple):
    """A box drawn on a thumbnail: what it marks, and its position in shares of the thumbnail's sides."""

    kind: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Thumbnail:
    """A thumbnail with its captions; `width` and `height` are those of the original image.

    If it could not be made, `source` is None and `error` says why.
    """

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
    """Thumbnails of stored images, each decoded once, with counts of all and of failures."""

    def __init__(self, images: Images, progress: Progress):
        self._images, self._progress = images, progress
        self._thumbnails: dict[tuple[int, int], Thumbnail] = {}

    @property
    def count(self) -> int:
        """Number of images requested."""
        return len({row for row, _ in self._thumbnails})

    @property
    def unreadable(self) -> int:
        """Number of images that could not be shown."""
        return len({row for (row, _), thumbnail in self._thumbnails.items() if thumbnail.error})

    def thumbnail(self, row: int, *notes: str, side: int = SIDE) -> Thumbnail:
        """The thumbnail of the image at index `row`."""
        if (row, side) not in self._thumbnails:
            self._thumbnails[row, side] = self._load(row, side)
            self._progress.advance()
        return replace(self._thumbnails[row, side], notes=notes)

    def _load(self, row: int, side: int) -> Thumbnail:
        images = self._images
        blank = Thumbnail(
            images.sha256[row], images.name(row), bool(images.keep[row]), None, None, side, side
        )
        # Images that `measure` failed to decode, in a worker that may be killed, are not decoded here.
        if error := images.errors[row]:
            return replace(blank, error=error)
        try:
            pixels = decode(images.file(row).read_bytes()).pixels
        except OSError as failure:
            return replace(blank, error=f"the file cannot be read: {failure.strerror}")
        except ImageError as failure:
            return replace(blank, error=str(failure))
        height, width = pixels.shape[:2]
        return replace(blank, source=thumbnail_uri(pixels, side), width=width, height=height)


def thumbnail_uri(pixels: Bytes, side: int = SIDE) -> str:
    """An RGB image of shape (height, width, 3), uint8, shrunk to fit side × side pixels, as a data URI."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.BOX, reducing_gap=2.0)
    return data_uri(image)


def data_uri(image: Image.Image) -> str:
    """An RGB image as the data URI of a WebP file."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
