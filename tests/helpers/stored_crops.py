"""The tables around the stage `balance`: crops to read, datasets to check."""

import hashlib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from curation.tables import CLEAN, CROPS, DATASET, SPLIT, SPLITS
from gemkit.image_codec import encode_jpeg
from gemkit.project import Project
from gemkit.tables import read_table, write_table

#: Variety, group, split and pixels of a crop.
Crop = tuple[str, str, str, np.ndarray]


def write_crops(project: Project, crops: Iterable[Crop], record: str = "null") -> None:
    """Write the tables that `balance` reads; `record` says how the crops were made."""
    clean, stored, split = [], [], []
    for number, (variety, group, split_name, pixels) in enumerate(crops):
        sha256 = hashlib.sha256(f"{variety} {number}".encode()).hexdigest()
        common = {"sha256": sha256, "variety": variety, "group_id": group}
        clean.append({**common, "species": f"species of {variety}", "keep": True, "products": []})
        image = {"bytes": encode_jpeg(pixels), "path": f"{sha256}.jpg"}
        stored.append({"sha256": sha256, "image": image, "method": "mask"})
        split.append({**common, "split": split_name, "fold": 0})
    for path, rows, schema in (
        (project.clean_table, clean, CLEAN),
        (project.crops / "00000.parquet", stored, CROPS),
        (project.split_table, split, SPLIT),
    ):
        rows.sort(key=lambda row: row["sha256"])
        write_table(path, pa.Table.from_pylist(rows, schema))
    (project.crops / "crop.json").write_text(record)


def dataset_rows(project: Project, name: str) -> dict[str, list[dict]]:
    """The rows of a dataset, by split."""
    folder = project.dataset(name)
    return {
        split: [
            row for file in sorted(folder.glob(f"{split}-*")) for row in read_table(file, DATASET).to_pylist()
        ]
        for split in SPLITS
    }
