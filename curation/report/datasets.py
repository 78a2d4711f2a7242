"""The datasets section: images per class and split, shared images, examples, an image in all orientations."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from curation.datasets.orientations import Orientation, orient, orientations
from curation.datasets.params import BalanceParams, DatasetParams
from curation.report.crops import crops_missing, first_crops
from curation.report.data import Images
from curation.report.sampling import absent, evenly
from curation.report.thumbnails import data_uri, thumbnail_uri
from curation.tables import DATASET, SPLITS
from gemkit.image_codec import decode_rgb
from gemkit.project import Project
from gemkit.tables import read_rows, read_table

#: Side in pixels of a thumbnail among an image's orientations, and thumbnails per row.
_SIDE, _ACROSS = 64, 8
_EXAMPLES = 8
#: Step from one example's orientation to the next; coprime to the number of orientations.
_STRIDE = 5


@dataclass(frozen=True)
class ClassImages:
    """`sources`: distinct source images in the training split; `images`: images by split."""

    name: str
    sources: int
    images: dict[str, int]

    @property
    def total(self) -> int:
        """Images in all splits."""
        return sum(self.images.values())


@dataclass(frozen=True)
class Example:
    """A training image of the dataset (a data URI), and its orientation."""

    name: str
    orientation: str
    source: str


@dataclass(frozen=True)
class Dataset:
    """The content of a dataset, in detail for its training split.

    `left_out`: classes of kept images that the dataset lacks. `per_orientation`: training images in one
    orientation; `views`: training images made from one source image; each as (least, most). `shared`: number
    of training images that another dataset also has, by its name.
    """

    name: str
    settings: DatasetParams
    missing: str | None
    images: dict[str, int]
    sources: int
    classes: list[ClassImages]
    left_out: list[str]
    per_orientation: tuple[int, int]
    views: tuple[int, int]
    shared: dict[str, int]
    examples: list[Example]

    @property
    def trained(self) -> dict[str, int]:
        """Training images by class name."""
        return {each.name: each.images["train"] for each in self.classes}


@dataclass(frozen=True)
class Orientations:
    """All orientations of one training image in one figure (a data URI), row by row."""

    name: str
    source: str


@dataclass(frozen=True)
class Datasets:
    """All datasets in the parameters; orientations are shown `across` per row, with `side` pixels each."""

    missing: str | None
    datasets: list[Dataset]
    all_orientations: list[Orientation]
    across: int
    side: int
    orientations: list[Orientations]
    orientations_missing: str | None

    @property
    def rows(self) -> int:
        """Rows of an image of orientations."""
        return len(self.all_orientations) // self.across

    @property
    def made(self) -> list[Dataset]:
        """The datasets that exist."""
        return [dataset for dataset in self.datasets if not dataset.missing]

    @property
    def classes(self) -> list[str]:
        """Names of the classes in any of them, sorted."""
        return sorted({each.name for dataset in self.datasets for each in dataset.classes})


class _Split:
    """Variety, source image and orientation of each image in one split of a dataset, in the files' order."""

    def __init__(self, project: Project, dataset: str, split: str):
        self.files = sorted(project.dataset(dataset).glob(f"{split}-*.parquet"))
        self.varieties: list[str] = []
        self.images: list[tuple[str, Orientation]] = []
        for file in self.files:
            table = read_table(file, DATASET, ["variety", "sha256", "rotation", "mirrored"])
            columns = {name: table[name].to_pylist() for name in table.column_names}
            views = map(Orientation, columns["rotation"], columns["mirrored"])
            self.varieties += columns["variety"]
            self.images += zip(columns["sha256"], views, strict=True)
        self.classes = Counter(self.varieties)


def describe_datasets(images: Images, settings: BalanceParams, size: int) -> Datasets:
    """Count the datasets' images, choose examples, and rotate one training image of each class."""
    project = images.project
    splits = {name: {split: _Split(project, name, split) for split in SPLITS} for name in settings.datasets}
    trained = {name: set(found["train"].images) for name, found in splits.items()}
    datasets = []
    sources: dict[str, str] = {}
    for name, dataset_settings in settings.datasets.items():
        shared = {
            other: len(trained[name] & trained[other]) for other in splits if other != name and trained[other]
        }
        datasets.append(_dataset(name, dataset_settings, splits[name], shared, images))
        for variety, sha256 in sorted(_sources(splits[name]["train"])):
            sources.setdefault(variety, sha256)
    missing = ". ".join(dataset.missing for dataset in datasets if dataset.missing) or None
    no_orientations = crops_missing(project, size) or (
        None if sources else missing or "No dataset has a training image"
    )
    all_orientations = orientations(settings.orientations)
    return Datasets(
        missing=missing,
        datasets=datasets,
        all_orientations=all_orientations,
        across=min(_ACROSS, len(all_orientations)),
        side=_SIDE,
        orientations=[] if no_orientations else _rotated(sources, images, all_orientations, size),
        orientations_missing=no_orientations,
    )


def _sources(split: _Split) -> Counter[tuple[str, str]]:
    """Number of images in a split made from each (variety, source image)."""
    return Counter(
        (variety, sha256) for variety, (sha256, _) in zip(split.varieties, split.images, strict=True)
    )


def _dataset(
    name: str, settings: DatasetParams, splits: dict[str, _Split], shared: dict[str, int], images: Images
) -> Dataset:
    train = splits["train"]
    views = _sources(train)
    sources = Counter(variety for variety, _ in views)
    found = {variety for split in splits.values() for variety in split.classes}
    kept = {images.variety[row] for row in np.flatnonzero(images.keep).tolist()}
    return Dataset(
        name=name,
        settings=settings,
        missing=None
        if found
        else absent([images.project.dataset(name)], f"gemcurate balance --dataset {name}"),
        images={name: len(split.images) for name, split in splits.items()},
        sources=sources.total(),
        classes=[
            ClassImages(
                images.variety_name(variety),
                sources[variety],
                {name: split.classes[variety] for name, split in splits.items()},
            )
            for variety in sorted(found, key=lambda key: (-train.classes[key], -sources[key], key))
        ],
        left_out=sorted(images.variety_name(variety) for variety in kept - found if variety),
        per_orientation=_extremes(Counter(orientation for _, orientation in train.images).values()),
        views=_extremes(views.values()),
        shared=shared,
        examples=_examples(train, images),
    )


def _extremes(counts: Collection[int]) -> tuple[int, int]:
    return (min(counts), max(counts)) if counts else (0, 0)


def _examples(split: _Split, images: Images) -> list[Example]:
    """One image each of some classes, in orientations as different as possible."""
    all_orientations = sorted({orientation for _, orientation in split.images})
    first: dict[tuple[str, Orientation], int] = {}
    for row, (variety, (_, orientation)) in enumerate(zip(split.varieties, split.images, strict=True)):
        first.setdefault((variety, orientation), row)
    wanted = [
        (variety, all_orientations[_STRIDE * number % len(all_orientations)])
        for number, variety in enumerate(evenly(sorted(split.classes), _EXAMPLES))
    ]
    chosen = {first[key]: key for key in wanted if key in first}
    contents = _contents(split.files, set(chosen))
    return [
        Example(
            images.variety_name(variety),
            describe_orientation(orientation),
            thumbnail_uri(decode_rgb(contents[row])),
        )
        for row, (variety, orientation) in chosen.items()
    ]


def _contents(files: list[Path], wanted: set[int]) -> dict[int, bytes]:
    """The encoded images of some rows; stops reading at the last of them."""
    found: dict[int, bytes] = {}
    start = 0
    for batch in (batch for file in files for batch in read_rows(file, DATASET, ["image"])):
        for row in wanted & set(range(start, start + len(batch))):
            found[row] = batch["image"][row - start].as_py()["bytes"]
        if len(found) == len(wanted):
            break
        start += len(batch)
    return found


def describe_orientation(orientation: Orientation) -> str:
    """An orientation as text."""
    done = ["mirrored"] if orientation.mirrored else []
    return (
        ", ".join(done + ([f"rotated by {orientation.rotation}°"] if orientation.rotation else []))
        or "unchanged"
    )


def _rotated(
    sources: dict[str, str], images: Images, all_orientations: list[Orientation], size: int
) -> list[Orientations]:
    rows = first_crops(images.project, set(sources.values()))
    across = min(_ACROSS, len(all_orientations))
    sheets = []
    for variety, sha256 in sorted(sources.items()):
        if sha256 in rows:
            sheet = Image.new("RGB", (across * _SIDE, len(all_orientations) // across * _SIDE))
            for index, view in enumerate(orient(decode_rgb(rows[sha256].image), size, all_orientations)):
                row, column = divmod(index, across)
                small = Image.fromarray(view).resize((_SIDE, _SIDE), Image.Resampling.BOX)
                sheet.paste(small, (column * _SIDE, row * _SIDE))
            sheets.append(Orientations(images.variety_name(variety), data_uri(sheet)))
    return sheets
