"""Cost of a balanced dataset compared with decoding each crop once and encoding its 16 orientations.

    python -m benchmarks.curation.balance [--photos 600] [--rounds 3]

The crops are the demo store's stones, with 112 and 224 visible pixels. Every part reads as many of them and
encodes all 16 orientations of each. In memory: decode and encode alone, with the stage's own functions, in
the same kind of processes, one per core; the views are rendered beforehand. From files to files: the stage
`balance` with its tables, and the published loop (read with OpenCV, rotate, mirror, write a file each, with
one thread per core; its corners are black and its colour has half the resolution). Process start-up is
excluded: the stage's cost is the difference of a long and a short run. The parts alternate, and the best
round counts. Wall time is given per core; it is meaningless while other work runs. Memory is that of all
processes of the stage together, with shared pages counted once.
"""

import argparse
import contextlib
import hashlib
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import psutil
import pyarrow as pa

from benchmarks._commands import GEMSCRAPE, running, table
from benchmarks.curation.measure import Cost, best, cpu_seconds, stones
from curation.cropping.params import CropParams
from curation.datasets.balance import balance
from curation.datasets.orientations import orient, orientations
from curation.datasets.params import read_dataset
from curation.imaging.centre_crop import cut_centre, stored_side
from curation.tables import CLEAN, CROP_RECORD, CROPS, SPLIT, SPLITS
from gemkit.executor.base import worker_count
from gemkit.executor.local import map_shards
from gemkit.image_codec import decode_rgb, encode_jpeg
from gemkit.project import Project
from gemkit.tables import write_table

SIZES = (112, 224)
_GEMCURATE = GEMSCRAPE.with_name("gemcurate")
_STONES = 24
_CLASSES = ("ruby", "emerald")
_TURNS = orientations(16)
_PARAMS = """
crop: {{size: {size}}}
balance: {{datasets: {{all: {{kind: balanced, target: {target}, minimum: 1}}}}}}
"""


def write_project(project: Project, contents: Sequence[bytes], size: int, sources: int) -> None:
    """Write parameters and the tables that `balance` reads, with `sources` training images in two classes."""
    clean, crops, split = [], [], []
    for number in range(sources + 4):
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        common = {"sha256": sha256, "variety": _CLASSES[number % 2], "group_id": sha256}
        split_name = "train" if number < sources else SPLITS[1 + (number - sources) // 2]
        clean.append({**common, "keep": True})
        crops.append({"sha256": sha256, "image": {"bytes": contents[number % len(contents)]}})
        split.append({**common, "split": split_name})
    for path, rows, schema in (
        (project.clean_table, clean, CLEAN),
        (project.crops / "00000.parquet", crops, CROPS),
        (project.split_table, split, SPLIT),
    ):
        rows.sort(key=lambda row: str(row["sha256"]))
        write_table(path, pa.Table.from_pylist(rows, schema), row_group_size=256)
    (project.crops / CROP_RECORD).write_text("null")
    project.params.write_text(_PARAMS.format(size=size, target=sources // 2 * len(_TURNS)))


def published_loop(source: Path, target: Path) -> None:
    """Read each file, rotate and mirror it, and write each result."""

    def one(file: Path) -> None:
        image = cv2.imread(str(file))
        side = image.shape[0]
        for rotation, mirrored in _TURNS:
            turned = cv2.flip(image, 1) if mirrored else image
            matrix = cv2.getRotationMatrix2D((side / 2, side / 2), rotation, 1)
            turned = cv2.warpAffine(turned, matrix, (side, side))
            cv2.imwrite(str(target / f"{file.stem}-{rotation}-{mirrored}.jpg"), turned)

    with ThreadPoolExecutor(worker_count()) as pool:
        list(pool.map(one, sorted(source.iterdir())))


def cost_of(work: Callable[[], object], sources: int) -> Cost:
    """Cost per source image, on all cores."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    work()
    cpu, wall = cpu_seconds() - cpu, (time.perf_counter() - wall) * worker_count()
    return Cost(cpu * 1000 / sources, wall * 1000 / sources)


class Crops(NamedTuple):
    """Stored crops with `size` visible pixels, repeated until there are `sources` of them."""

    contents: Sequence[bytes]
    size: int
    sources: int


def decode_and_encode(crops: Crops) -> Cost:
    """Cost per source image, in this process, of decoding it and encoding its rendered orientations."""
    rendered = [
        [np.ascontiguousarray(view) for view in orient(decode_rgb(content), crops.size, _TURNS)]
        for content in crops.contents
    ]
    cpu, wall = time.process_time(), time.perf_counter()
    for content, views in islice(cycle(zip(crops.contents, rendered, strict=True)), crops.sources):
        decode_rgb(content)
        for view in views:
            encode_jpeg(view)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Cost(cpu * 1000 / crops.sources, wall * 1000 / crops.sources)


def stage(size: int) -> None:
    """The stage itself, in the current folder."""
    params = Project().params
    balance(Project(), "all", read_dataset(params, "all"), crop=CropParams(size=size))


def costs(contents: Sequence[bytes], size: int, sources: int, rounds: int) -> dict[str, Cost]:
    """Milliseconds per source image of each part."""
    cores = worker_count()
    found: defaultdict[str, list[Cost]] = defaultdict(list)
    for _ in range(rounds):
        each = list(map_shards(decode_and_encode, [Crops(contents, size, sources // cores)] * cores))
        found["alone"].append(Cost(*(sum(figures) / cores for figures in zip(*each, strict=True))))
        with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
            for run, count in (("few", sources // 3), ("many", sources)):
                write_project(Project(), contents, size, count)
                found[run].append(cost_of(partial(stage, size), 1))
            for folder in ("source", "target"):
                Path(folder).mkdir()
            for number in range(sources):
                visible = cut_centre(decode_rgb(contents[number % len(contents)]), size)
                Path("source", f"{number}.jpg").write_bytes(encode_jpeg(visible))
            found["loop"].append(cost_of(partial(published_loop, Path("source"), Path("target")), sources))
    least = {part: best(seen) for part, seen in found.items()}
    more = sources - sources // 3
    return {
        "decode and encode alone": least["alone"],
        "the stage": Cost(*((b - a) / more for a, b in zip(least["few"], least["many"], strict=True))),
        "the published loop": least["loop"],
    }


def memory_of_stage(contents: Sequence[bytes], size: int, sources: int) -> float:
    """Peak memory of all processes of the command, megabytes."""
    peak = 0
    with tempfile.TemporaryDirectory() as name:
        write_project(Project(Path(name)), contents, size, sources)
        with running([_GEMCURATE, "balance", "--dataset", "all"], Path(name)) as process:
            parent = psutil.Process(process.pid)
            while process.poll() is None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    family = [parent, *parent.children(recursive=True)]
                    peak = max(peak, sum(member.memory_full_info().pss for member in family))
                time.sleep(0.05)
            if process.returncode:
                raise RuntimeError(Path(name, "output.txt").read_text())
    return peak / 1e6


def main() -> None:
    """Print milliseconds per image, and their ratio to decode and encode alone."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cv2.setNumThreads(1)  # the published loop has one thread per core
    lines = []
    for size in SIZES:
        contents = [_crop(content) for content in stones(_STONES, stored_side(size))]
        measured = costs(contents, size, options.photos, options.rounds)
        alone = measured["decode and encode alone"]
        for part, cost in measured.items():
            each = [f"{milliseconds / len(_TURNS):.3f}" for milliseconds in cost]
            times = [f"{own / base:.2f}" for own, base in zip(cost, alone, strict=True)]
            lines.append([part, f"{size} px", *each, *times])
    print(table(["part", "side", "CPU ms per image", "wall ms", "CPU / alone", "wall / alone"], lines))
    peak = memory_of_stage(contents, SIZES[-1], 4 * options.photos)
    print(f"memory of the stage, all processes, at {SIZES[-1]} px: {peak:.0f} MB")


def _crop(content: bytes) -> bytes:
    return encode_jpeg(decode_rgb(content))


if __name__ == "__main__":
    main()
