"""A dataset's Parquet as tensors: decoded once, in parallel, into a memory-mapped file in `.cache/`."""

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from torch import Tensor

from gemkit.errors import UserError
from gemkit.memo import CACHE
from gemkit.parallel import worker_count
from gemkit.progress import Progress
from gemkit.tables import read_rows, read_table, replaced
from gemtrain.recipe import Augmentation
from gemtrain.tables import DATASET, SPLITS

DATASETS = Path("data/datasets")

#: Of decoding and resizing: a change leaves the old pixels unused.
_VERSION = 1

_COLUMNS = ["label", "variety", "species", "group_id", "sha256"]


class Split:
    """One side of a dataset, in the order of its rows. `labels` is [N] int64, the others are lists of N."""

    def __init__(self, dataset: str, name: str):
        folder = DATASETS / dataset
        if not folder.is_dir():
            raise UserError(
                f"The dataset '{folder}' does not exist; make it with 'gemcurate balance' (dvc repro)."
            )
        self.dataset, self.name = dataset, name
        self.files = sorted(folder.glob(f"{name}-*.parquet"))
        if not self.files:
            raise UserError(
                f"The dataset '{folder}' has no file {name}-*.parquet; make it again (dvc repro)."
            )
        table = pa.concat_tables(read_table(file, DATASET, _COLUMNS) for file in self.files)
        self.labels = torch.from_numpy(table["label"].to_numpy().astype(np.int64))
        self.varieties: list[str] = table["variety"].to_pylist()
        self.species: list[str | None] = table["species"].to_pylist()
        self.groups: list[str] = table["group_id"].to_pylist()
        self.sha256s: list[str] = table["sha256"].to_pylist()
        self.fingerprint = _fingerprint(self.files)

    def __len__(self) -> int:
        return len(self.sha256s)

    def one_row_a_photo(self) -> Tensor:
        """The first row of every photo, [photos] int64."""
        return torch.tensor(
            sorted({sha256: row for row, sha256 in reversed(list(enumerate(self.sha256s)))}.values())
        )

    def pixels(self, size: int) -> Tensor:
        """The images at `size` pixels, uint8 [N, size, size, 3], RGB, mapped from a file in `.cache/pixels`.

        Raises UserError that names the file and row of an image that cannot be decoded.
        """
        key = hashlib.sha256(f"{_VERSION} {self.fingerprint} {size}".encode()).hexdigest()[:16]
        prefix = f"{self.dataset}-{self.name}-{size}-"
        path = CACHE / "pixels" / f"{prefix}{key}.npy"
        if not path.exists():
            for outdated in path.parent.glob(f"{prefix}*.npy"):
                outdated.unlink()
            self._decode(path, size)
        # Copy-on-write: torch wants writable memory, the file stays as it is.
        return torch.from_numpy(np.load(path, mmap_mode="c"))

    def _decode(self, path: Path, size: int) -> None:
        with (
            replaced(path) as temporary,
            ThreadPoolExecutor(worker_count()) as pool,
            Progress(f"decode {self.dataset} {self.name}", len(self)) as progress,
        ):
            shape = (len(self), size, size, 3)
            pixels = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
            start = 0
            for file in self.files:
                row_in_file = 0
                for batch in read_rows(file, DATASET, ["image"]):
                    images = pa.StructArray.from_arrays(batch["image"].flatten(), ["bytes", "path"])
                    encoded = images.field("bytes").to_pylist()
                    places = [f"row {row_in_file + row} of '{file}'" for row in range(len(encoded))]
                    for row, image in enumerate(
                        pool.map(_decode_one, encoded, [size] * len(encoded), places)
                    ):
                        pixels[start + row] = image
                    start += len(encoded)
                    row_in_file += len(encoded)
                    progress.advance(len(encoded))
            pixels.flush()
            del pixels


def _decode_one(encoded: bytes, size: int, place: str) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            image.draft("RGB", (size, size))
            return np.asarray(
                image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3.0)
            )
    except (OSError, TypeError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(
            f"The image in {place} cannot be decoded ({error}); make the dataset again."
        ) from None


def _fingerprint(files: list[Path]) -> str:
    """SHA-256 of the files' bytes, in order."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


class Dataset:
    """A dataset's splits and its classes, `varieties[label]`.

    Raises UserError when the dataset is missing or incomplete, has fewer than two classes, or has a class
    without images in a split.
    """

    def __init__(self, name: str):
        self.name = name
        self.splits = {split: Split(name, split) for split in SPLITS}
        train = self.splits["train"]
        classes = dict(
            zip(train.labels.tolist(), zip(train.varieties, train.species, strict=True), strict=True)
        )
        if len(classes) < 2:
            raise UserError(
                f"The dataset '{name}' has {len(classes)} class in its training split; at least 2 are needed."
            )
        if sorted(classes) != list(range(len(classes))):
            raise UserError(
                f"The labels of the dataset '{name}' are not 0 to {len(classes) - 1}; make it again."
            )
        self.varieties = [classes[label][0] for label in range(len(classes))]
        self.species = [classes[label][1] for label in range(len(classes))]
        for split in self.splits.values():
            self._check_classes(split)

    def _check_classes(self, split: Split) -> None:
        found = dict(zip(split.labels.tolist(), split.varieties, strict=True))
        for label, variety in found.items():
            if not 0 <= label < len(self.varieties) or self.varieties[label] != variety:
                raise UserError(
                    f"The dataset '{self.name}' calls label {label} '{variety}' in its {split.name} split "
                    "but not in its training split; make it again."
                )
        for label, variety in enumerate(self.varieties):
            if label not in found:
                raise UserError(
                    f"The class '{variety}' of the dataset '{self.name}' has no image in its {split.name} "
                    "split; give it more photos or leave it out."
                )

    def check_groups(self) -> None:
        """Raise UserError when photos of one group are on two sides: scores would mean nothing."""
        side: dict[str, str] = {}
        for split in self.splits.values():
            for group in split.groups:
                if side.setdefault(group, split.name) != split.name:
                    raise UserError(
                        f"The dataset '{self.name}' leaks: group '{group}' is in both its {side[group]} and "
                        f"its {split.name} split; split it again by group (gemcurate split)."
                    )


def batch_of(
    images: Tensor,
    rows: Tensor,
    augmentation: Augmentation | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The images [N, H, W, 3] of `rows` as [B, 3, H, W] in channels-last memory, each augmented on its own.

    Random numbers come from a CPU generator, so that every device sees the same augmentation. A shifted image
    repeats its edge, which is background.
    """
    rows = rows.to(images.device)
    if augmentation is None:
        return images[rows].permute(0, 3, 1, 2)
    count, (height, width) = len(rows), images.shape[1:3]
    y, x = torch.arange(height).expand(count, -1), torch.arange(width).expand(count, -1)
    if augmentation.mirror:
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        x = torch.where(mirrored, x.flip(1), x)
    if augmentation.shift:
        move = (2 * torch.rand(2, count, 1, generator=generator) - 1) * augmentation.shift
        y = (y + (move[0] * height).round().long()).clamp(0, height - 1)
        x = (x + (move[1] * width).round().long()).clamp(0, width - 1)
    y, x = y.to(images.device), x.to(images.device)
    return images[rows[:, None, None], y[:, :, None], x[:, None, :]].permute(0, 3, 1, 2)


def on_device(images: Tensor, device: torch.device) -> Tensor:
    """The whole dataset on a GPU that has room for it twice; else where it is."""
    if device.type == "cuda" and 2 * images.nbytes < torch.cuda.mem_get_info(device)[0]:
        return images.to(device)
    return images
