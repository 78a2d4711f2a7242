"""Same inputs and seed, same bytes: whatever ran before, however many workers."""

import hashlib
import shutil
import sqlite3
from pathlib import Path

from curation.tables import DATASET, SPLIT
from gemkit.tables import read_table
from tests.helpers.commands import command
from tests.helpers.project import CURATION


def fingerprints(folder: Path) -> dict[str, str]:
    files = [file for file in (folder / "data").rglob("*.parquet") if "raw" not in file.parts]
    files += [
        file for file in (folder / "metrics").rglob("*.json") if file.name in ("clean.json", "dataset.json")
    ]
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_one_worker_and_a_cache_with_gaps_give_the_same_bytes(project: Path) -> None:
    before = {name: mark for name, mark in fingerprints(project).items() if "predictions" not in name}
    for folder in ("data/measured", "data/crops", "data/datasets", "metrics"):
        shutil.rmtree(project / folder)
    for memo in ("measure", "crop"):
        with sqlite3.connect(project / f".cache/{memo}.sqlite") as database:
            database.execute("DELETE FROM memo WHERE rowid % 3 = 0")
    for stage in CURATION:
        command(*stage, cwd=project, cores={0})
    after = {name: mark for name, mark in fingerprints(project).items() if "predictions" not in name}
    assert after == before


def test_no_group_is_on_two_sides(pipeline: Path) -> None:
    split = read_table(pipeline / "data/split.parquet", SPLIT)
    sides: dict[str, set[str]] = {}
    for group, side in zip(split["group_id"].to_pylist(), split["split"].to_pylist(), strict=True):
        sides.setdefault(group, set()).add(side)
    assert len(sides) > 20
    assert all(len(side) == 1 for side in sides.values())
    for dataset in ("d1k", "d2k"):
        found: dict[str, str] = {}
        for side in ("train", "validation", "test"):
            for file in (pipeline / f"data/datasets/{dataset}").glob(f"{side}-*.parquet"):
                for group in read_table(file, DATASET, ["group_id"])["group_id"].to_pylist():
                    assert found.setdefault(group, side) == side


def test_only_training_photos_are_turned(pipeline: Path) -> None:
    for side in ("validation", "test"):
        for file in (pipeline / "data/datasets/d1k").glob(f"{side}-*.parquet"):
            table = read_table(file, DATASET, ["rotation", "mirrored"])
            assert set(table["rotation"].to_pylist()) == {0} and set(table["mirrored"].to_pylist()) == {False}
