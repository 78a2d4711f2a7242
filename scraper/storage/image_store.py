"""Check an image's bytes and store them under their own hash."""

import hashlib
import os
import shutil
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from gemkit.errors import GemscrapeError
from gemkit.image_formats import FORMATS, open_image, same_pixels, without_bombs
from scraper.http.errors import Stopped
from scraper.http.reason import Reason
from scraper.storage.file_ends import breaks_off, lacks_end
from scraper.storage.jpeg_scans import has_gap, is_plain, with_more_data
from scraper.tables import ReasonKind

#: What decoders make of blocks of which they have no data, also in inverted CMYK.
_UNKNOWN = (127, 128)

_TYPES = {"JPEG": "image/jpeg", "BMP": "image/bmp", "TIFF": "image/tiff"}

# The reason says how an untrusted file is wrong; keep Pillow's warnings off the console.
warnings.filterwarnings("ignore", module=r"PIL\.")


class InvalidImage(GemscrapeError):
    """The bytes are not a complete image within the limits."""

    kind = "invalid_image"

    def __init__(self, kind: ReasonKind, text: str):
        super().__init__(text)
        self.reason = Reason(kind, text)


@dataclass(frozen=True)
class StoredImage:
    """A checked image; `path` is relative to the site's folder, `content_type` is that of the bytes."""

    sha256: str
    path: str
    content_type: str
    bytes: int
    width: int
    height: int


class ImageStore:
    """`images/<ab>/<sha256>.<ext>` in a site's folder. Files appear there whole or not at all."""

    def __init__(self, folder: Path, max_pixels: int):
        self._folder, self._max_pixels = folder, max_pixels
        self._parts = folder / "images" / ".part"
        self._made: set[Path] = set()
        self._written: set[str] = set()
        self._closed = False
        self._lock = threading.Lock()
        self._clear()

    def close(self, paths: set[str]) -> None:
        """Refuse further images, and delete files stored too late to be among `paths`."""
        with self._lock:
            self._closed = True
        self._clear()
        for path in self._written - paths:
            (self._folder / path).unlink(missing_ok=True)

    def add(self, content: bytes) -> StoredImage:
        """Check an image and store it, unless the same bytes are stored already.

        Raises InvalidImage, OSError, and Stopped if the store is closed.
        """
        kind, width, height = check_image(content, self._max_pixels)
        sha256 = hashlib.sha256(content).hexdigest()
        path = f"images/{sha256[:2]}/{sha256}.{FORMATS[kind]}"
        if not (self._folder / path).exists():
            self._write(path, content)
        return StoredImage(
            sha256, path, _TYPES.get(kind, f"image/{kind.lower()}"), len(content), width, height
        )

    def keep_only(self, paths: set[str]) -> None:
        """Delete the files of images that the store has replaced; `paths` are those that the table lists."""
        for file in (self._folder / "images").glob("??/*"):
            if file.relative_to(self._folder).as_posix() not in paths:
                file.unlink()

    def _clear(self) -> None:
        """Delete partial files, including those of a killed crawl."""
        shutil.rmtree(self._parts, ignore_errors=True)
        self._made.discard(self._parts)

    def _write(self, path: str, content: bytes) -> None:
        if self._closed:
            raise Stopped
        target = self._folder / path
        for folder in (self._parts, target.parent):
            if folder not in self._made:
                folder.mkdir(parents=True, exist_ok=True)
                self._made.add(folder)
        temporary = self._parts / f"{target.name}.{threading.get_ident()}"
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except FileNotFoundError:
            if self._closed:
                raise Stopped from None
            raise
        with self._lock:
            if self._closed:
                temporary.unlink(missing_ok=True)
                raise Stopped
            temporary.replace(target)
            self._written.add(path)


def check_image(content: bytes, max_pixels: int) -> tuple[str, int, int]:
    """Format, width and height of an image that decodes to its end. Raises InvalidImage."""
    if not content:
        raise InvalidImage(ReasonKind.EMPTY, "empty")
    try:
        image = open_image(content)
    except Image.DecompressionBombError:
        raise InvalidImage(ReasonKind.TOO_MANY_PIXELS, "too many pixels") from None
    except Exception:
        raise _not_opened(content) from None
    with image:
        # A JPEG with several images (phones write them) counts as its first image.
        kind = "JPEG" if image.format == "MPO" else image.format or ""
        width, height = image.size
        if width * height > max_pixels:
            raise InvalidImage(ReasonKind.TOO_MANY_PIXELS, "too many pixels")
        try:
            lacking = (
                _lacks_data(without_bombs(content), image) if kind == "JPEG" else _breaks_off(content, image)
            )
        except Exception:  # decoders raise all kinds of errors on untrusted files
            raise _truncated_or(content, ReasonKind.UNDECODABLE, "does not decode") from None
        if lacking:
            raise InvalidImage(ReasonKind.TRUNCATED, "truncated")
    return kind, width, height


def _not_opened(content: bytes) -> InvalidImage:
    if content[:512].lstrip().startswith(b"<"):
        return InvalidImage(ReasonKind.HTML_INSTEAD_OF_IMAGE, "HTML instead of an image")
    return _truncated_or(content, ReasonKind.NOT_AN_IMAGE, "no image")


def _truncated_or(content: bytes, kind: ReasonKind, text: str) -> InvalidImage:
    return InvalidImage(ReasonKind.TRUNCATED, "truncated") if lacks_end(content) else InvalidImage(kind, text)


def _breaks_off(content: bytes, image: Image.Image) -> bool:
    image.load()
    return breaks_off(content)


def _lacks_data(content: bytes, image: Image.Image) -> bool:
    """Whether a part of a JPEG's data is missing: its decoder makes up for it in silence."""
    content = without_bombs(content)
    if is_plain(content):
        # At an eighth of its size, all its data is read in a fraction of the time.
        image.draft(image.mode, (max(1, image.width // 8), max(1, image.height // 8)))
        image.load()
        return _ends_in_grey(image) and _takes_more(content)
    return has_gap(content) or _takes_more(content)


def _ends_in_grey(image: Image.Image) -> bool:
    last = image.getpixel((image.width - 1, image.height - 1))
    values = last if isinstance(last, tuple) else (last,)
    return all(value in _UNKNOWN for value in values)


def _takes_more(content: bytes) -> bool:
    """Whether the picture looks different with more data."""
    return not same_pixels(content, with_more_data(content), "L")
