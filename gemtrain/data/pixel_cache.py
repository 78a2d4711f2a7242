"""The pixels of a split's images: decoded once, in parallel, into a memory-mapped file in `.cache/`."""

import hashlib
import io
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image, UnidentifiedImageError

from gemkit.arrays import Bytes
from gemkit.errors import GemscrapeError, UserError
from gemkit.executor.base import worker_count
from gemkit.memo import Memo
from gemkit.progress import Progress
from gemkit.project import Project
from gemkit.tables import read_rows, replaced
from gemtrain.data.undecodable import UndecodableImage
from gemtrain.tables import DATASET

#: Version of decoding and resizing: raising it invalidates the cached pixels.
_VERSION = 2
#: Version of the check for undecodable images: raising it repeats the check.
_CHECK_VERSION = 3

#: Images in memory at a time: they may be full-size photos from a camera.
_BATCH = 64

#: What Pillow raises for bytes that are not a complete image.
_DECODE_ERRORS = (OSError, TypeError, SyntaxError, ValueError, Image.DecompressionBombError)


class MissingBand(GemscrapeError):
    """Raised for an image without the fourth band that a network needs."""

    kind = "missing_band"


class Images:
    """The images in a split's files, in order; `title` names the split in messages.

    `fingerprint` is the SHA-256 of the files' bytes. `undecodable` are the images that are not complete, by
    row; the other rows are `intact`.
    """

    def __init__(self, project: Project, files: list[Path], title: str):
        self.project, self.files, self.title = project, files, title
        digest = hashlib.sha256()
        for file in files:
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        self.fingerprint = digest.hexdigest()
        with Memo("undecodable", _CHECK_VERSION, None, project.cache) as memo:
            if self.fingerprint not in memo:
                memo.put([(self.fingerprint, self._check_all(), None)])
            found, _ = memo.get(self.fingerprint)
        self.undecodable = {
            int(row): UndecodableImage(**image) for row, image in found["undecodable"].items()
        }
        self.intact = [row for row in range(found["rows"]) if row not in self.undecodable]

    def pixels(self, size: int, channels: int = 3) -> Bytes:
        """The intact images: uint8 [N, size, size, channels], mapped copy-on-write from `.cache/pixels`.

        Each keeps its aspect ratio: its longer side becomes `size`, and the shorter one is padded by
        repeating the edges. One channel is grey (the luma of ITU-R BT.601), three are RGB, four are RGB and
        the fourth band of the image. Raises UserError when an image has no fourth band, or the disk is too
        full.
        """
        key = hashlib.sha256(f"{_VERSION} {self.fingerprint} {size} {channels}".encode()).hexdigest()[:16]
        prefix = f"{self.title.replace(' ', '-')}-{size}-{channels}-"
        path = self.project.cache / "pixels" / f"{prefix}{key}.npy"
        if not path.exists():
            for outdated in path.parent.glob(f"{prefix}*.npy"):
                outdated.unlink()
            self._decode(path, size, channels)
        pixels: Bytes = np.load(path, mmap_mode="c")
        return pixels

    def _decode(self, path: Path, size: int, channels: int) -> None:
        shape = (len(self.intact), size, size, channels)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._check_room(path.parent, shape)

        def decode(image: tuple[str, bytes]) -> Bytes:
            location, content = image
            try:
                return decode_one(content, size, channels)
            except MissingBand:
                raise UserError(
                    f"The image in {location} has no fourth band; set the recipe's 'channels' to 1 or 3."
                ) from None
            except _DECODE_ERRORS as error:
                raise UserError(f"The image in {location} cannot be used: {error}.") from None

        with (
            replaced(path) as temporary,
            ThreadPoolExecutor(worker_count()) as pool,
            Progress(f"decode {self.title}", len(self.intact)) as progress,
        ):
            pixels = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
            row = done = 0
            for batch in self._batches():
                intact = [
                    image for number, image in enumerate(batch, start=row) if number not in self.undecodable
                ]
                for image in pool.map(decode, intact):
                    pixels[done] = image
                    done += 1
                row += len(batch)
                progress.advance(len(intact))
            pixels.flush()
            del pixels

    def _check_room(self, folder: Path, shape: tuple[int, ...]) -> None:
        # A mapped file that outgrows the disk kills the process silently (SIGBUS).
        needed, free = np.prod(shape, dtype=np.int64), shutil.disk_usage(folder).free
        if needed > free:
            raise UserError(
                f"The {shape[0]:,} images of {self.title} take {needed / 1e9:.1f} GB at {shape[1]} pixels, "
                f"but '{folder}' has room for {free / 1e9:.1f} GB; free disk space or lower the recipe's "
                "'image_size'."
            )

    def _check_all(self) -> dict[str, object]:
        undecodable: dict[int, dict[str, str]] = {}
        rows = 0
        with ThreadPoolExecutor(worker_count()) as pool, Progress(f"check {self.title}") as progress:
            for batch in self._batches():
                for found in pool.map(_undecodable, batch):
                    if found:
                        undecodable[rows] = found._asdict()
                    rows += 1
                progress.advance(len(batch))
        return {"rows": rows, "undecodable": undecodable}

    def _batches(self) -> Iterator[list[tuple[str, bytes]]]:
        """The location and content of every image, a batch at a time."""
        for file in self.files:
            row = 0
            name = file.relative_to(self.project.root)  # stored, so it must not depend on the root
            for batch in read_rows(file, DATASET, ["image"], _BATCH):
                images = pa.StructArray.from_arrays(batch["image"].flatten(), ["bytes", "path"])
                contents = [content or b"" for content in images.field("bytes").to_pylist()]
                yield [
                    (f"row {row + number} of '{name}'", content) for number, content in enumerate(contents)
                ]
                row += len(contents)


def _undecodable(image: tuple[str, bytes]) -> UndecodableImage | None:
    """Why the content at a location is not a complete image; None if it is one."""
    location, content = image
    try:
        with Image.open(io.BytesIO(content)) as opened:
            opened.draft("RGB", (1, 1))  # reads all bytes of a JPEG, but computes few pixels
            opened.load()
    except UnidentifiedImageError:  # its message contains a memory address
        return UndecodableImage(location, "unknown_format", "not an image")
    except _DECODE_ERRORS as error:
        return UndecodableImage(location, "undecodable", " ".join(str(error).split()))
    return None


def decode_one(content: bytes, size: int, channels: int) -> Bytes:
    """An image as in `Images.pixels`, [size, size, channels]. Raises MissingBand and Pillow's errors."""
    with Image.open(io.BytesIO(content)) as image:
        image.draft("RGB", (size, size))
        if channels == 4:
            if image.mode != "RGBA":
                raise MissingBand("the image has no fourth band")
            # Each separately: Pillow would treat the fourth as opacity and premultiply the others with it.
            bands = [_fit(band, size) for band in image.split()]
        else:
            bands = [_fit(image.convert("RGB" if channels == 3 else "L"), size)]
    pixels = np.dstack([np.asarray(band) for band in bands])
    missing = [(size - side) for side in pixels.shape[:2]]
    return np.pad(pixels, [*((gap // 2, gap - gap // 2) for gap in missing), (0, 0)], mode="edge")


def _fit(image: Image.Image, size: int) -> Image.Image:
    width, height = (max(1, round(side * size / max(image.size))) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
