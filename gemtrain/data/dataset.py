"""A dataset on disk: its splits, its classes, and the checks that they must pass."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from curation.cropping.params import CropSettings
from gemkit.errors import UserError, did_you_mean
from gemkit.project import Project
from gemkit.records import InvalidRecord, read_json
from gemkit.tables import read_table
from gemtrain.data.pixel_cache import Images
from gemtrain.data.undecodable import MAX_UNDECODABLE, UndecodableImages
from gemtrain.tables import DATASET, SPLITS

_COLUMNS = ["label", "variety", "species", "group_id", "sha256", "rotation", "mirrored"]


class Split:
    """One split of a dataset, in the order of its rows. `labels` is [N] int64, the others are lists of N.

    Images that cannot be decoded are skipped and named on standard error. Raises UserError when the files are
    missing or incomplete, or more than 1 % of the images cannot be decoded.
    """

    def __init__(self, project: Project, dataset: str, name: str):
        folder = _dataset_folder(project, dataset)
        self.dataset, self.name = dataset, name
        self.files = sorted(folder.glob(f"{name}-*.parquet"))
        if not self.files:
            raise UserError(
                f"The dataset '{folder}' has no file {name}-*.parquet; make it again (dvc repro)."
            )
        table = pa.concat_tables(read_table(file, DATASET, _COLUMNS) for file in self.files)
        self._images = Images(project, self.files, f"{dataset} {name}")
        self.fingerprint = self._images.fingerprint
        self._report_undecodable(len(table))
        table = table.take(self._images.intact)
        self.labels = torch.from_numpy(table["label"].to_numpy().astype(np.int64))
        self.varieties: list[str] = table["variety"].to_pylist()
        self.species: list[str | None] = table["species"].to_pylist()
        self.groups: list[str] = table["group_id"].to_pylist()
        self.sha256s: list[str] = table["sha256"].to_pylist()
        self.has_rotated = bool(pc.any(pc.or_(pc.greater(table["rotation"], 0), table["mirrored"])).as_py())

    def _report_undecodable(self, rows: int) -> None:
        undecodable = UndecodableImages(map(str, self._images.undecodable.values()))
        if not undecodable:
            return
        found = (
            f"{len(undecodable)} of {rows} images in the {self.name} split of '{self.dataset}' "
            "cannot be decoded"
        )
        if len(undecodable) > MAX_UNDECODABLE * rows:
            raise UserError(
                f"{found}, more than {MAX_UNDECODABLE:.0%} ({undecodable}); make the dataset again."
            )
        print(f"{found} and are skipped ({undecodable})", file=sys.stderr)

    def __len__(self) -> int:
        return len(self.sha256s)

    def one_row_per_source(self) -> Tensor:
        """The first row of every source image, [source images] int64."""
        return torch.tensor(
            sorted({sha256: row for row, sha256 in reversed(list(enumerate(self.sha256s)))}.values())
        )

    def pixels(self, size: int, channels: int = 3) -> Tensor:
        """The images at `size` pixels, uint8 [N, size, size, channels]; see `Images.pixels`."""
        # Copy-on-write: torch needs writable memory, and the file is not changed.
        return torch.from_numpy(self._images.pixels(size, channels))


def dataset_names(project: Project) -> list[str]:
    """The names of a project's datasets, those of `gemcurate balance` and imported ones, sorted."""
    folders = (*project.datasets.glob("*/"), *project.imported_datasets.glob("*/"))
    return sorted({folder.name for folder in folders if any(folder.glob("train-*.parquet"))})


def _dataset_folder(project: Project, name: str) -> Path:
    """The folder of a dataset. Raises UserError when there is none."""
    for folder in (project.dataset(name), project.imported_datasets / name):
        if name and folder.is_dir():
            return folder
    raise UserError(
        f"The dataset '{project.dataset(name)}' does not exist"
        f"{did_you_mean(name, 'datasets', dataset_names(project))}. Make it with 'gemcurate balance' (dvc "
        "repro), or import your own images with load_dataset(project, PATH)."
    )


class Dataset:
    """A dataset's splits and its classes, `varieties[label]`.

    Raises UserError when the dataset is missing or incomplete, has fewer than two classes, or has a class
    without images in a split.
    """

    def __init__(self, project: Project, name: str):
        self.project, self.name = project, name
        self.splits = {split: Split(project, name, split) for split in SPLITS}
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
                    "split; give it more images or leave it out."
                )

    @property
    def version(self) -> str:
        """Content hash of the dataset."""
        fingerprints = "".join(split.fingerprint for split in self.splits.values())
        return hashlib.sha256(fingerprints.encode()).hexdigest()[:12]

    @property
    def crop(self) -> CropSettings | None:
        """The settings of `gemcurate crop` that its images were made with; None if they are not cropped.

        Raises UserError.
        """
        path = self.splits["train"].files[0].with_name("classes.json")
        if not path.exists():
            return None
        try:
            content = read_json(path)
            if not isinstance(content, dict) or "crop" not in content:
                raise InvalidRecord("the key 'crop' is missing")
            return CropSettings.from_json(content["crop"])
        except InvalidRecord as error:
            raise UserError(
                f"'{path}' does not say how the images were cropped: {error}; run 'gemcurate balance "
                f"--dataset {self.name}' again."
            ) from None

    def check_leaks(self) -> None:
        """Raise UserError if scores would be meaningless.

        That is when an image, or images of one group, are in two splits, or the validation or test split is
        augmented.
        """
        split_of: dict[tuple[str, str], str] = {}
        for split in self.splits.values():
            if split.name != "train" and split.has_rotated:
                raise UserError(
                    f"The dataset '{self.name}' has rotated or mirrored images in its {split.name} split, "
                    "which must hold the unchanged source images; make it again (gemcurate balance)."
                )
            names = [("group", group) for group in split.groups]
            names += [("image", sha256) for sha256 in split.sha256s]
            for kind, name in names:
                if split_of.setdefault((kind, name), split.name) != split.name:
                    raise UserError(
                        f"The dataset '{self.name}' leaks: {kind} '{name}' is in both its "
                        f"{split_of[kind, name]} and its {split.name} split; split it again by group "
                        "(gemcurate split)."
                    )


def batch_of(images: Tensor, rows: Tensor) -> Tensor:
    """The images [N, H, W, C] of `rows` as [B, C, H, W] in channels-last memory."""
    return images[rows.to(images.device)].permute(0, 3, 1, 2)


def on_device(values: Tensor, device: torch.device) -> Tensor:
    """All images or features on a GPU, if it has room for them twice; else where they are."""
    if device.type == "cuda" and 2 * values.nbytes < torch.cuda.mem_get_info(device)[0]:
        return values.to(device)
    return values
