"""The tables around the stage `balance`: crops to read, datasets to check."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from curation.tables import CLEAN, CROPS, DATASET, SPLIT, SPLITS
from gemkit.image_codec import encode_jpeg
from gemkit.tables import read_table, write_table

#: Variety, group, split and pixels of a crop.
Crop = tuple[str, str, str, np.ndarray]


def write_crops(crops: Iterable[Crop]) -> None:
    """Write the tables that `balance` reads into the current folder."""
    clean, stored, split = [], [], []
    for number, (variety, group, split_name, pixels) in enumerate(crops):
        sha256 = hashlib.sha256(f"{variety} {number}".encode()).hexdigest()
        common = {"sha256": sha256, "variety": variety, "group_id": group}
        clean.append({**common, "species": f"species of {variety}", "keep": True, "products": []})
        image = {"bytes": encode_jpeg(pixels), "path": f"{sha256}.jpg"}
        stored.append({"sha256": sha256, "image": image, "method": "mask"})
        split.append({**common, "split": split_name, "fold": 0})
    for name, rows, schema in (
        ("data/clean.parquet", clean, CLEAN),
        ("data/crops/00000.parquet", stored, CROPS),
        ("data/split.parquet", split, SPLIT),
    ):
        rows.sort(key=lambda row: row["sha256"])
        write_table(Path(name), pa.Table.from_pylist(rows, schema))
    Path("data/crops/crop.json").write_text("null")


def dataset_rows(name: str) -> dict[str, list[dict]]:
    """The rows of a dataset in the current folder, by split."""
    folder = Path("data/datasets") / name
    return {
        split: [
            row for file in sorted(folder.glob(f"{split}-*")) for row in read_table(file, DATASET).to_pylist()
        ]
        for split in SPLITS
    }
