"""The datasets: images of each class and side, what datasets share, examples, a photo in all orientations."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from curation.datasets.balance import DATASETS_FOLDER
from curation.datasets.orientations import Orientation, orient, orientations
from curation.params import BalanceParams, DatasetParams
from curation.report.crops import crops_missing, first_crops
from curation.report.data import Images
from curation.report.sampling import absent, evenly
from curation.report.thumbnails import data_uri, thumbnail
from curation.tables import DATASET, SPLITS
from gemkit.image_codec import decode_rgb
from gemkit.tables import read_rows, read_table

#: Side in pixels of one picture among a photo's orientations, and how many stand in a row.
_SIDE, _ACROSS = 64, 8
_EXAMPLES = 8
#: From one example's orientation to the next; prime to the number of orientations.
_STRIDE = 5


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
class Example:
    """A training image as it lies in the dataset (a data URI), and how it was turned."""

    name: str
    turn: str
    source: str


@dataclass(frozen=True)
class Dataset:
    """What a dataset holds; its training side also in detail.

    `left_out`: classes of kept images that the dataset does not have. `turns`: images in one orientation,
    `uses`: images made of one photo, each least and most. `shared`: training images that another dataset has
    too, by its name.
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
    shared: dict[str, int]
    examples: list[Example]

    @property
    def trained(self) -> dict[str, int]:
        """Training images by name of the class."""
        return {each.name: each.images["train"] for each in self.classes}


@dataclass(frozen=True)
class Orientations:
    """The orientations of one training photo as one picture (a data URI), row after row."""

    name: str
    source: str


@dataclass(frozen=True)
class Datasets:
    """All datasets of the parameters; `turns` names the orientations, `across` in a row of `side` pixels."""

    missing: str | None
    datasets: list[Dataset]
    turns: list[Orientation]
    across: int
    side: int
    orientations: list[Orientations]
    orientations_missing: str | None

    @property
    def rows(self) -> int:
        """Rows of a picture of orientations."""
        return len(self.turns) // self.across

    @property
    def made(self) -> list[Dataset]:
        """Those that exist."""
        return [dataset for dataset in self.datasets if not dataset.missing]

    @property
    def classes(self) -> list[str]:
        """Names of the classes that any of them has, in order."""
        return sorted({each.name for dataset in self.datasets for each in dataset.classes})


class _Side:
    """The images on one side of a dataset, in order of its files: variety, photo and orientation of each."""

    def __init__(self, dataset: str, side: str):
        self.files = sorted((DATASETS_FOLDER / dataset).glob(f"{side}-*.parquet"))
        self.varieties: list[str] = []
        self.images: list[tuple[str, Orientation]] = []
        for file in self.files:
            table = read_table(file, DATASET, ["variety", "sha256", "rotation", "mirrored"])
            columns = {name: table[name].to_pylist() for name in table.column_names}
            turns = map(Orientation, columns["rotation"], columns["mirrored"])
            self.varieties += columns["variety"]
            self.images += zip(columns["sha256"], turns, strict=True)
        self.classes = Counter(self.varieties)


def describe_datasets(images: Images, params: BalanceParams, size: int) -> Datasets:
    """Count the datasets that exist, show some of their images and turn one training photo of each class."""
    sides = {name: {side: _Side(name, side) for side in SPLITS} for name in params.datasets}
    trained = {name: set(found["train"].images) for name, found in sides.items()}
    datasets = []
    photos: dict[str, str] = {}
    for name, settings in params.datasets.items():
        shared = {
            other: len(trained[name] & trained[other]) for other in sides if other != name and trained[other]
        }
        datasets.append(_dataset(name, settings, sides[name], shared, images))
        for variety, sha256 in sorted(_photos(sides[name]["train"])):
            photos.setdefault(variety, sha256)
    missing = ". ".join(dataset.missing for dataset in datasets if dataset.missing) or None
    no_turns = crops_missing(size) or (None if photos else missing or "No dataset has a training image")
    turns = orientations(params.orientations)
    return Datasets(
        missing=missing,
        datasets=datasets,
        turns=turns,
        across=min(_ACROSS, len(turns)),
        side=_SIDE,
        orientations=[] if no_turns else _turned(photos, images, turns, size),
        orientations_missing=no_turns,
    )


def _photos(side: _Side) -> Counter[tuple[str, str]]:
    """How many images of a side are made of each (variety, photo)."""
    return Counter(
        (variety, sha256) for variety, (sha256, _) in zip(side.varieties, side.images, strict=True)
    )


def _dataset(
    name: str, settings: DatasetParams, sides: dict[str, _Side], shared: dict[str, int], images: Images
) -> Dataset:
    train = sides["train"]
    uses = _photos(train)
    photos = Counter(variety for variety, _ in uses)
    found = {variety for side in sides.values() for variety in side.classes}
    kept = {images.variety[row] for row in np.flatnonzero(images.keep).tolist()}
    return Dataset(
        name=name,
        settings=settings,
        missing=None if found else absent([DATASETS_FOLDER / name], f"gemcurate balance --dataset {name}"),
        images={name: len(side.images) for name, side in sides.items()},
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
        turns=_ends(Counter(turn for _, turn in train.images)),
        uses=_ends(uses),
        shared=shared,
        examples=_examples(train, images),
    )


def _ends(counts: Counter) -> tuple[int, int]:
    return (min(counts.values()), max(counts.values())) if counts else (0, 0)


def _examples(side: _Side, images: Images) -> list[Example]:
    """One image each of some classes, in orientations as different as there are."""
    turns = sorted({turn for _, turn in side.images})
    first: dict[tuple[str, Orientation], int] = {}
    for row, (variety, (_, turn)) in enumerate(zip(side.varieties, side.images, strict=True)):
        first.setdefault((variety, turn), row)
    wanted = [
        (variety, turns[_STRIDE * number % len(turns)])
        for number, variety in enumerate(evenly(sorted(side.classes), _EXAMPLES))
    ]
    chosen = {first[key]: key for key in wanted if key in first}
    contents = _contents(side.files, set(chosen))
    return [
        Example(images.variety_name(variety), in_words(turn), thumbnail(decode_rgb(contents[row])))
        for row, (variety, turn) in chosen.items()
    ]


def _contents(files: list[Path], wanted: set[int]) -> dict[int, bytes]:
    """The encoded images of some rows; reads no further than the last of them."""
    found: dict[int, bytes] = {}
    start = 0
    for batch in (batch for file in files for batch in read_rows(file, DATASET, ["image"])):
        for row in wanted & set(range(start, start + len(batch))):
            found[row] = batch["image"][row - start].as_py()["bytes"]
        if len(found) == len(wanted):
            break
        start += len(batch)
    return found


def in_words(turn: Orientation) -> str:
    """What was done to a photo."""
    done = ["mirrored"] if turn.mirrored else []
    return ", ".join(done + ([f"turned by {turn.rotation}°"] if turn.rotation else [])) or "as it is"


def _turned(
    photos: dict[str, str], images: Images, turns: list[Orientation], size: int
) -> list[Orientations]:
    rows = first_crops(set(photos.values()))
    across = min(_ACROSS, len(turns))
    pictures = []
    for variety, sha256 in sorted(photos.items()):
        if sha256 in rows:
            sheet = Image.new("RGB", (across * _SIDE, len(turns) // across * _SIDE))
            for place, view in enumerate(orient(decode_rgb(rows[sha256]["image"]["bytes"]), size, turns)):
                row, column = divmod(place, across)
                small = Image.fromarray(view).resize((_SIDE, _SIDE), Image.Resampling.BOX)
                sheet.paste(small, (column * _SIDE, row * _SIDE))
            pictures.append(Orientations(images.variety_name(variety), data_uri(sheet)))
    return pictures
