"""Parquet files in Hugging Face's layout and others become datasets."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gemkit.project import Project
from gemtrain.data.dataset import Dataset, Split
from gemtrain.importers.import_dataset import import_dataset
from tests.helpers.class_folders import CLASSES, COLOURS, coloured_image, encoded, write
from tests.helpers.imported_data import class_counts, each, refused


def write_parquet(
    path: Path,
    labels: list[Any],
    images: list[bytes | None],
    names: tuple[str, str] = ("image", "label"),
    classes: list[str] | None = None,
    plain: bool = False,
    **more: list[Any],
) -> None:
    column = images if plain else [{"bytes": image, "path": None} for image in images]
    table = pa.table({names[0]: column, names[1]: labels, **more})
    if classes:
        features = {names[0]: {"_type": "Image"}, names[1]: {"_type": "ClassLabel", "names": classes}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def rows(count: int, first: int = 0) -> tuple[list[int], list[bytes | None]]:
    labels = [number % 3 for number in range(3 * count)]
    return labels, [encoded(coloured_image(label, first + n // 3)) for n, label in enumerate(labels)]


def test_parquet_of_hugging_face(inline: Path) -> None:
    for file, (count, first) in {
        "data/train-00000-of-00002": (4, 0),
        "data/train-00001-of-00002": (4, 100),
        "data/validation-00000-of-00001": (2, 200),
        "data/test-00000-of-00001": (3, 300),
        "data/extra-00000-of-00001": (1, 400),
    }.items():
        labels, images = rows(count, first)
        write_parquet(inline / f"gems/{file}.parquet", labels, images, ("img", "fine_label"), list(CLASSES))
    write(inline / "gems/assets/preview.png", coloured_image(0, 999))
    notes = import_dataset(Project(), "gems")[1]
    assert class_counts("gems") == {"train": each(8), "validation": each(2), "test": each(3)}
    assert "images in files of no split (3)" in notes[-1]
    split = Split(Project(), "gems", "test")
    variety = split.varieties[0]
    assert np.abs(split.pixels(28)[0].numpy().mean((0, 1)) - COLOURS[CLASSES.index(variety), :3]).max() < 5


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda label: CLASSES[label], list(CLASSES)),
        (lambda label: 5 * label, ["00", "05", "10"]),
        (lambda label: ("no", "yes", "no")[label] == "yes", ["False", "True"]),
    ],
)
def test_a_parquet_file_of_plain_columns(inline: Path, make: Callable[[int], Any], names: list[str]) -> None:
    labels, images = rows(7)
    write_parquet(inline / "gems.parquet", [make(n) for n in labels], images, plain=True, id=labels)
    assert import_dataset(Project(), "gems.parquet")[0] == "gems"
    assert Dataset(Project(), "gems").varieties == names


def test_rows_without_label_or_image_are_counted(inline: Path) -> None:
    labels, images = rows(7)
    hidden = [-1, *labels[1:]]
    write_parquet(inline / "gems.parquet", hidden, [*images[:-1], None], classes=list(CLASSES))
    notes = import_dataset(Project(), "gems.parquet")[1]
    assert "images without a label (1)" in notes[-2]
    assert "gems.parquet row 20: the file is empty" in notes[-1]


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ({"image": [b"x"], "coarse": ["a"], "kind": ["b"]}, "label column could be any of coarse, kind"),
        ({"image": [b"x"], "label": [0.5]}, "label column is missing"),
        ({"a": [b"x"], "b": [b"y"], "label": [1]}, "image column could be any of a, b"),
        ({"text": ["x"], "label": [1]}, "image column is missing"),
    ],
)
def test_parquet_files_with_ambiguous_columns(inline: Path, columns: dict[str, Any], match: str) -> None:
    pq.write_table(pa.table(columns), inline / "gems.parquet")
    refused(match, "gems.parquet")
