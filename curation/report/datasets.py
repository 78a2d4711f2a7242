"""The datasets: images of each class on each side, and a photo of each class in all its orientations."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from curation.balance import DATASETS_FOLDER
from curation.centre import decode_rgb
from curation.orientations import orient, orientations
from curation.params import BalanceParams, DatasetParams
from curation.report.album import data_uri
from curation.report.choose import absent
from curation.report.images import Images
from curation.report.stones import crops_missing, first_crops
from curation.tables import DATASET, SPLITS
from gemkit.tables import read_table

#: Side in pixels of one picture among a photo's orientations, and how many stand in a row.
_SIDE, _ACROSS = 56, 8


@dataclass(frozen=True)
class ClassImages:
    """`photos`: distinct photos on the training side; `images` on each side."""

    name: str
    photos: int
    images: dict[str, int]

    @property
    def total(self) -> int:
        """Images on all sides."""
        return sum(self.images.values())


@dataclass(frozen=True)
class Dataset:
    """What a dataset holds; its training side also in detail.

    `left_out`: classes of kept images that the dataset does not have. `turns`: images in one orientation,
    `uses`: images made of one photo, each least and most.
    """

    name: str
    settings: DatasetParams
    missing: str | None
    images: dict[str, int]
    photos: int
    classes: list[ClassImages]
    left_out: list[str]
    turns: tuple[int, int]
    uses: tuple[int, int]


@dataclass(frozen=True)
class Orientations:
    """The orientations of one training photo as one picture (a data URI), row after row."""

    name: str
    source: str


@dataclass(frozen=True)
class Datasets:
    """All datasets of the parameters; `count` orientations, `across` in a row of `side` pixels each."""

    missing: str | None
    datasets: list[Dataset]
    count: int
    across: int
    side: int
    orientations: list[Orientations]
    orientations_missing: str | None

    @property
    def rows(self) -> int:
        """Rows of a picture of orientations."""
        return self.count // self.across


class _Side:
    """Counts of the images on one side of a dataset."""

    def __init__(self, files: list[Path]):
        self.classes: Counter[str] = Counter()
        self.uses: Counter[tuple[str, str]] = Counter()
        self.turns: Counter[tuple[int, bool]] = Counter()
        for file in files:
            table = read_table(file, DATASET, ["variety", "sha256", "rotation", "mirrored"])
            columns = {name: table[name].to_pylist() for name in table.column_names}
            self.classes.update(columns["variety"])
            self.uses.update(zip(columns["variety"], columns["sha256"], strict=True))
            self.turns.update(zip(columns["rotation"], columns["mirrored"], strict=True))


def describe_datasets(images: Images, params: BalanceParams, size: int) -> Datasets:
    """Count the datasets that exist and turn one training photo of each class."""
    datasets = []
    examples: dict[str, str] = {}
    for name, settings in params.datasets.items():
        sides = {side: _Side(sorted((DATASETS_FOLDER / name).glob(f"{side}-*.parquet"))) for side in SPLITS}
        datasets.append(_dataset(name, settings, sides, images))
        for variety, sha256 in sorted(sides["train"].uses):
            examples.setdefault(variety, sha256)
    missing = ". ".join(dataset.missing for dataset in datasets if dataset.missing) or None
    no_turns = crops_missing(size) or (None if examples else missing or "No dataset has a training image")
    return Datasets(
        missing=missing,
        datasets=datasets,
        count=params.orientations,
        across=min(_ACROSS, params.orientations),
        side=_SIDE,
        orientations=[] if no_turns else _turned(examples, images, params.orientations, size),
        orientations_missing=no_turns,
    )


def _dataset(name: str, settings: DatasetParams, sides: dict[str, _Side], images: Images) -> Dataset:
    train = sides["train"]
    photos = Counter(variety for variety, _ in train.uses)
    found = {variety for side in sides.values() for variety in side.classes}
    kept = {images.variety[row] for row in np.flatnonzero(images.keep).tolist()}
    return Dataset(
        name=name,
        settings=settings,
        missing=None if found else absent([DATASETS_FOLDER / name], f"gemcurate balance --dataset {name}"),
        images={name: side.classes.total() for name, side in sides.items()},
        photos=photos.total(),
        classes=[
            ClassImages(
                images.variety_name(variety),
                photos[variety],
                {name: side.classes[variety] for name, side in sides.items()},
            )
            for variety in sorted(found, key=lambda key: (-train.classes[key], -photos[key], key))
        ],
        left_out=sorted(images.variety_name(variety) for variety in kept - found if variety),
        turns=_ends(train.turns),
        uses=_ends(train.uses),
    )


def _ends(counts: Counter) -> tuple[int, int]:
    return (min(counts.values()), max(counts.values())) if counts else (0, 0)


def _turned(examples: dict[str, str], images: Images, count: int, size: int) -> list[Orientations]:
    rows, wanted = first_crops(set(examples.values())), orientations(count)
    across = min(_ACROSS, count)
    pictures = []
    for variety, sha256 in sorted(examples.items()):
        if sha256 in rows:
            sheet = Image.new("RGB", (across * _SIDE, count // across * _SIDE))
            for place, view in enumerate(orient(decode_rgb(rows[sha256]["image"]["bytes"]), size, wanted)):
                row, column = divmod(place, across)
                small = Image.fromarray(view).resize((_SIDE, _SIDE), Image.Resampling.BOX)
                sheet.paste(small, (column * _SIDE, row * _SIDE))
            pictures.append(Orientations(images.variety_name(variety), data_uri(sheet)))
    return pictures
