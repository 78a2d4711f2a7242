"""Same inputs and seed give the same bytes, whatever ran before and with any number of workers."""

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curation.tables import DATASET, SPLIT
from gemkit.tables import read_table
from tests.helpers.commands import called
from tests.helpers.project import CURATION


def fingerprints(folder: Path) -> dict[str, str]:
    files = [file for file in (folder / "data").rglob("*.parquet") if "raw" not in file.parts]
    files += [
        file for file in (folder / "metrics").rglob("*.json") if file.name in ("clean.json", "dataset.json")
    ]
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


@contextmanager
def on_one_core() -> Iterator[None]:
    """This thread, and what it starts, may use one core alone."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def test_bytes_depend_neither_on_workers_nor_on_the_cache(project: Path) -> None:
    before = {name: mark for name, mark in fingerprints(project).items() if "predictions" not in name}
    for folder in ("data/features", "data/measured", "data/crops", "data/datasets", "metrics"):
        shutil.rmtree(project / folder)
    for memo in ("measure", "crop"):
        with sqlite3.connect(project / f".cache/{memo}.sqlite") as database:
            database.execute("DELETE FROM memo WHERE rowid % 18 = 0")
    with on_one_core():
        for stage in CURATION:
            called(*stage, cwd=project)
    after = {name: mark for name, mark in fingerprints(project).items() if "predictions" not in name}
    assert after == before


def test_no_group_is_in_two_splits(pipeline: Path) -> None:
    table = read_table(pipeline / "data/split.parquet", SPLIT)
    splits: dict[str, set[str]] = {}
    for group, split in zip(table["group_id"].to_pylist(), table["split"].to_pylist(), strict=True):
        splits.setdefault(group, set()).add(split)
    assert len(splits) > 20
    assert all(len(names) == 1 for names in splits.values())
    for dataset in ("d1k", "d2k"):
        found: dict[str, str] = {}
        for split in ("train", "validation", "test"):
            for file in (pipeline / f"data/datasets/{dataset}").glob(f"{split}-*.parquet"):
                for group in read_table(file, DATASET, ["group_id"])["group_id"].to_pylist():
                    assert found.setdefault(group, split) == split


def test_only_training_images_are_rotated(pipeline: Path) -> None:
    for split in ("validation", "test"):
        for file in (pipeline / "data/datasets/d1k").glob(f"{split}-*.parquet"):
            table = read_table(file, DATASET, ["rotation", "mirrored"])
            assert set(table["rotation"].to_pylist()) == {0} and set(table["mirrored"].to_pylist()) == {False}
