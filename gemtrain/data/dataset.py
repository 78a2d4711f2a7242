"""A dataset on disk: its splits, its classes, and what must hold of them."""

import hashlib
import json
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from gemkit.errors import UserError
from gemkit.tables import read_table
from gemtrain.data.pixel_cache import Images
from gemtrain.data.undecodable import MOST_BROKEN, Broken
from gemtrain.tables import DATASET, DATASETS, OWN_DATASETS, SPLITS

_COLUMNS = ["label", "variety", "species", "group_id", "sha256", "rotation", "mirrored"]


class Split:
    """One side of a dataset, in the order of its rows. `labels` is [N] int64, the others are lists of N.

    Images that cannot be decoded are left out, and named on standard error. Raises UserError when the files
    are missing or incomplete, or more than 1 % of the images cannot be decoded.
    """

    def __init__(self, dataset: str, name: str):
        folder = DATASETS / dataset
        if not folder.is_dir():
            folder = OWN_DATASETS / dataset
        if not folder.is_dir():
            raise UserError(
                f"The dataset '{DATASETS / dataset}' does not exist; make it with 'gemcurate balance' "
                "(dvc repro), or name a folder, Parquet or .mat file of images."
            )
        self.dataset, self.name = dataset, name
        self.files = sorted(folder.glob(f"{name}-*.parquet"))
        if not self.files:
            raise UserError(
                f"The dataset '{folder}' has no file {name}-*.parquet; make it again (dvc repro)."
            )
        table = pa.concat_tables(read_table(file, DATASET, _COLUMNS) for file in self.files)
        self._images = Images(self.files, f"{dataset} {name}")
        self.fingerprint = self._images.fingerprint
        self._report_broken(len(table))
        table = table.take(self._images.intact)
        self.labels = torch.from_numpy(table["label"].to_numpy().astype(np.int64))
        self.varieties: list[str] = table["variety"].to_pylist()
        self.species: list[str | None] = table["species"].to_pylist()
        self.groups: list[str] = table["group_id"].to_pylist()
        self.sha256s: list[str] = table["sha256"].to_pylist()
        self.has_turned = bool(pc.any(pc.or_(pc.greater(table["rotation"], 0), table["mirrored"])).as_py())

    def _report_broken(self, rows: int) -> None:
        broken = Broken(self._images.broken.values())
        if not broken:
            return
        found = (
            f"{len(broken)} of {rows} images in the {self.name} split of '{self.dataset}' cannot be decoded"
        )
        if len(broken) > MOST_BROKEN * rows:
            raise UserError(f"{found}, more than {MOST_BROKEN:.0%} ({broken}); make the dataset again.")
        print(f"{found} and are left out ({broken})", file=sys.stderr)

    def __len__(self) -> int:
        return len(self.sha256s)

    def one_row_a_photo(self) -> Tensor:
        """The first row of every photo, [photos] int64."""
        return torch.tensor(
            sorted({sha256: row for row, sha256 in reversed(list(enumerate(self.sha256s)))}.values())
        )

    def pixels(self, size: int, channels: int = 3) -> Tensor:
        """The images at `size` pixels with 1, 3 or 4 channels, uint8 [N, size, size, channels], mapped from
        a file in `.cache/pixels`; see `Images.pixels`."""
        # Copy-on-write: torch wants writable memory, the file stays as it is.
        return torch.from_numpy(self._images.pixels(size, channels))


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

    @property
    def version(self) -> str:
        """Names the content of all its files: two datasets of one version hold the same."""
        fingerprints = "".join(split.fingerprint for split in self.splits.values())
        return hashlib.sha256(fingerprints.encode()).hexdigest()[:12]

    @property
    def crop(self) -> dict[str, Any] | None:
        """The version and settings of `gemcurate crop` that made its photos; None where they are whole.

        Raises UserError.
        """
        path = self.splits["train"].files[0].with_name("classes.json")
        if not path.exists():
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))["crop"]
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f"'{path}' does not say how its photos were cropped; run 'gemcurate balance' again."
            ) from None

    def check_leaks(self) -> None:
        """Raise UserError where scores would mean nothing.

        That is when a photo or photos of one group are on two sides, or what is measured on is augmented.
        """
        side: dict[tuple[str, str], str] = {}
        for split in self.splits.values():
            if split.name != "train" and split.has_turned:
                raise UserError(
                    f"The dataset '{self.name}' has turned or mirrored photos in its {split.name} split, "
                    "which is for photos as they are; make it again (gemcurate balance)."
                )
            names = [("group", group) for group in split.groups]
            names += [("photo", sha256) for sha256 in split.sha256s]
            for kind, name in names:
                if side.setdefault((kind, name), split.name) != split.name:
                    raise UserError(
                        f"The dataset '{self.name}' leaks: {kind} '{name}' is in both its "
                        f"{side[kind, name]} and its {split.name} split; split it again by group "
                        "(gemcurate split)."
                    )


def batch_of(images: Tensor, rows: Tensor) -> Tensor:
    """The images [N, H, W, C] of `rows` as [B, C, H, W] in channels-last memory."""
    return images[rows.to(images.device)].permute(0, 3, 1, 2)


def on_device(values: Tensor, device: torch.device) -> Tensor:
    """All images or features on a GPU that has room for them twice; else where they are."""
    if device.type == "cuda" and 2 * values.nbytes < torch.cuda.mem_get_info(device)[0]:
        return values.to(device)
    return values
