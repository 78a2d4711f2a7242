"""What a balanced dataset costs beside decoding each crop once and encoding its 16 orientations.

    python -m benchmarks.balance [--photos 600] [--rounds 3]

The crops are the demo store's stones, of 112 and of 224 visible pixels. In memory: decode and encode alone,
with the stage's own functions. From files: the stage `balance` with its tables, and the published loop (read
with OpenCV, rotate, mirror, write a file each, in one thread a core; its corners are black and its colour has
half the resolution). The start of the stage's processes is left out: the cost is the difference of two runs.
The parts take turns, the best of the rounds counts; wall time is given as that of one core. Memory is that of
all processes of the stage together, shared pages counted once.
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
from pathlib import Path

import cv2
import numpy as np
import psutil
import pyarrow as pa

from benchmarks._commands import GEMSCRAPE, running, table
from benchmarks.measure import Cost, best, cpu_seconds, stones
from curation.balance import CLEAN_TABLE, CROPS_FOLDER, SPLIT_TABLE, balance
from curation.centre import cut_centre, decode_rgb, encode_jpeg, stored_side
from curation.orientations import orient, orientations
from curation.tables import CLEAN, CROPS, SPLIT, SPLITS
from gemkit.parallel import worker_count
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


def write_project(folder: Path, contents: Sequence[bytes], size: int, photos: int) -> None:
    """The tables that `balance` reads, for so many training photos in two classes, and its parameters."""
    clean, crops, split = [], [], []
    for number in range(photos + 4):
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        common = {"sha256": sha256, "variety": _CLASSES[number % 2], "group_id": sha256}
        side = "train" if number < photos else SPLITS[1 + (number - photos) // 2]
        clean.append({**common, "keep": True})
        crops.append({"sha256": sha256, "image": {"bytes": contents[number % len(contents)]}})
        split.append({**common, "split": side})
    for path, rows, schema in (
        (CLEAN_TABLE, clean, CLEAN),
        (CROPS_FOLDER / "00000.parquet", crops, CROPS),
        (SPLIT_TABLE, split, SPLIT),
    ):
        rows.sort(key=lambda row: str(row["sha256"]))
        write_table(folder / path, pa.Table.from_pylist(rows, schema), row_group_size=256)
    target = photos // 2 * len(_TURNS)
    (folder / "params.yaml").write_text(_PARAMS.format(size=size, target=target))


def published_loop(source: Path, target: Path) -> None:
    """Read each file, turn and mirror it, write each result."""

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


def cost_of(work: Callable[[], object], photos: int, cores: int = 1) -> Cost:
    """Of one photo."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    work()
    cpu, wall = cpu_seconds() - cpu, (time.perf_counter() - wall) * cores
    return Cost(cpu * 1000 / photos, wall * 1000 / photos)


def costs(contents: Sequence[bytes], size: int, photos: int, rounds: int) -> dict[str, Cost]:
    """Milliseconds a photo of each part."""
    pictures = [[np.ascontiguousarray(p) for p in orient(decode_rgb(c), size, _TURNS)] for c in contents]
    found: defaultdict[str, list[Cost]] = defaultdict(list)

    def alone() -> None:
        for content, turned in zip(contents, pictures, strict=True):
            decode_rgb(content)
            for picture in turned:
                encode_jpeg(picture)

    for _ in range(rounds):
        found["alone"].append(cost_of(alone, len(contents)))
        with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
            for run, count in (("few", photos // 3), ("many", photos)):
                write_project(Path(name), contents, size, count)
                found[run].append(cost_of(lambda: balance(Path("params.yaml"), "all"), 1, worker_count()))
            for folder in ("source", "target"):
                Path(folder).mkdir()
            for number in range(photos):
                visible = cut_centre(decode_rgb(contents[number % len(contents)]), size)
                Path("source", f"{number}.jpg").write_bytes(encode_jpeg(visible))
            loop = partial(published_loop, Path("source"), Path("target"))
            found["loop"].append(cost_of(loop, photos, worker_count()))
    least = {part: best(seen) for part, seen in found.items()}
    more = photos - photos // 3
    return {
        "decode and encode alone": least["alone"],
        "the stage": Cost(*((b - a) / more for a, b in zip(least["few"], least["many"], strict=True))),
        "the published loop": least["loop"],
    }


def memory_of_stage(contents: Sequence[bytes], size: int, photos: int) -> float:
    """Megabytes that all processes of the command have at its peak."""
    peak = 0
    with tempfile.TemporaryDirectory() as name:
        write_project(Path(name), contents, size, photos)
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
    """Print milliseconds a picture and how many times decode and encode alone they are."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    lines = []
    for size in SIZES:
        contents = [_crop(content) for content in stones(_STONES, stored_side(size))]
        measured = costs(contents, size, options.photos, options.rounds)
        base = measured["decode and encode alone"].cpu
        for part, cost in measured.items():
            each = [f"{milliseconds / len(_TURNS):.3f}" for milliseconds in cost]
            lines.append([part, f"{size} px", *each, f"{cost.cpu / base:.2f}"])
    print(table(["part", "side", "CPU ms a picture", "wall ms", "CPU / alone"], lines))
    peak = memory_of_stage(contents, SIZES[-1], 4 * options.photos)
    print(f"memory of the stage, all processes, at {SIZES[-1]} px: {peak:.0f} MB")


def _crop(content: bytes) -> bytes:
    return encode_jpeg(decode_rgb(content))


if __name__ == "__main__":
    main()
