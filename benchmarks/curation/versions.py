"""DVC's time for a dataset of 100,000 images, as the shards that `balance` writes and as loose files.

    python -m benchmarks.curation.versions [--images 100000] [--dataset d2k]

The images are those of the repository's own dataset, repeated with a comment that makes each file unique.
Both forms are added to a fresh project with the repository's DVC settings and its own state database.
`status` runs right after `add`, and again as in a fresh clone, where DVC knows nothing about the files.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks._commands import table
from benchmarks._unique_jpegs import with_comment
from curation.tables import DATASET
from gemkit.project import Project
from gemkit.shards import ShardWriter
from gemkit.tables import read_table, table_files

_ROOT = Path(__file__).parents[2]
_DVC = Path(sys.executable).with_name("dvc")


def rows(folder: Path, count: int) -> Iterator[dict[str, Any]]:
    """Rows of DATASET, no two with the same bytes."""
    known = [row for file in table_files(folder) for row in read_table(file, DATASET).to_pylist()]
    for number, row in enumerate(islice(cycle(known), count)):
        content = with_comment(row["image"]["bytes"], str(number))
        yield {**row, "image": {"bytes": content, "path": f"{number:06}.jpg"}}


def write_shards(folder: Path, images: Iterator[dict[str, Any]]) -> None:
    """The dataset as the project stores it."""
    with ShardWriter(folder, DATASET, "train-") as writer:
        for row in images:
            writer.write(row)


def write_files(folder: Path, images: Iterator[dict[str, Any]]) -> None:
    """The dataset as one folder per class with one file per image."""
    for row in images:
        path = folder / row["variety"] / row["image"]["path"]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(row["image"]["bytes"])


def seconds(project: Path, *arguments: str) -> float:
    """Duration of a DVC command in a project."""
    environment = os.environ | {"DVC_NO_ANALYTICS": "true", "DVC_SITE_CACHE_DIR": str(project / "state")}
    begin = time.perf_counter()
    subprocess.run([_DVC, *arguments], cwd=project, env=environment, check=True, capture_output=True)
    return time.perf_counter() - begin


def main() -> None:
    """Print seconds, files and megabytes of both forms."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--dataset", default="d2k")
    options = parser.parse_args()
    source = Project(_ROOT).dataset(options.dataset)
    if not source.exists():
        print(f"skipped: there is no '{source}' (dvc repro).")
        return
    lines = []
    for name, write in (("shards", write_shards), ("loose files", write_files)):
        with tempfile.TemporaryDirectory() as folder:
            project, dataset = Path(folder), Path(folder, "dataset")
            dataset.mkdir()
            subprocess.run(["git", "init", "--quiet", project], check=True)
            seconds(project, "init")
            shutil.copy(_ROOT / ".dvc/config", project / ".dvc/config")
            write(dataset, rows(source, options.images))
            files = [file for file in dataset.rglob("*") if file.is_file()]
            size = sum(file.stat().st_size for file in files) / 1e6
            times = [seconds(project, "add", "dataset"), seconds(project, "status")]
            shutil.rmtree(project / "state")
            times.append(seconds(project, "status"))
            lines.append([name, f"{len(files):,}", f"{size:.0f}", *(f"{each:.1f}" for each in times)])
    print(table(["form", "files", "MB", "dvc add s", "dvc status s", "status, fresh clone s"], lines))


if __name__ == "__main__":
    main()
