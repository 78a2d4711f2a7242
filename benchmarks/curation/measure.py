"""Cost of measuring compared with decoding, for images of 300 and of 1,200 pixels.

    python -m benchmarks.curation.measure [--stones 24] [--images 1500] [--rounds 5]

The images are the demo store's stones as JPEG. In memory: Pillow's decode alone, the decode of `gemcurate`
(upright, in sRGB), and the same with all pixel measurements, or with the features. From files: the stage
`measure` without text detection, with memo and tables; process start-up is excluded (the difference of two
runs). The parts alternate, and the best round counts. Wall time is given per core.
"""

import argparse
import hashlib
import io
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow as pa
from PIL import Image

from benchmarks._commands import table
from benchmarks._unique_jpegs import with_comment
from curation.features.extractor import extract
from curation.features.graph_file import graph_file
from curation.measurement.measure import measure
from curation.measurement.params import MeasureParams
from curation.measurement.pixel_statistics import measure_pixels
from gemkit.executor.base import worker_count
from gemkit.image_codec import decode
from gemkit.project import Project
from gemkit.tables import write_table
from scraper.demo_store.rendering.stones import photograph
from scraper.demo_store.rendering.varieties import BY_NAME
from scraper.tables import IMAGES

SIDES = (300, 1200)
_QUALITY = 90
#: Standard deviation of the added camera noise, which an enlarged rendering lacks and which enlarges JPEGs.
_GRAIN = 2.0


def stones(count: int, side: int) -> list[bytes]:
    """JPEGs of stones of all varieties, side × side pixels."""
    names = sorted(BY_NAME)
    contents = []
    for number in range(count):
        pixels = photograph(names[number % len(names)], (5, number), number % 3)
        method = cv2.INTER_AREA if side < len(pixels) else cv2.INTER_CUBIC
        pixels = cv2.resize(pixels, (side, side), interpolation=method)
        grain = np.random.default_rng(number).normal(0, _GRAIN, pixels.shape[:2])[..., None]
        out = io.BytesIO()
        Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=_QUALITY)
        contents.append(out.getvalue())
    return contents


def decode_alone(content: bytes) -> np.ndarray:
    """Pillow's decode in its simplest form."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def decode_and_measure(content: bytes) -> None:
    measure_pixels(decode(content).pixels)


def decode_and_extract(content: bytes, graph: Path) -> None:
    extract(decode(content).pixels, graph)


def parts(graph: Path) -> dict[str, Callable[[bytes], object]]:
    """What is timed in memory; `graph`: the network of the features."""
    return {
        "Pillow alone": decode_alone,
        "decode": decode,
        "decode and measure": decode_and_measure,
        "decode and features": partial(decode_and_extract, graph=graph),
    }


class Cost(NamedTuple):
    """Milliseconds per image: CPU time, and wall time multiplied by the number of cores."""

    cpu: float
    wall: float


def cost_of_parts(contents: Sequence[bytes], rounds: int, graph: Path) -> dict[str, Cost]:
    """The cost of each of `parts` on one core."""
    found: dict[str, list[Cost]] = {name: [] for name in parts(graph)}
    for _ in range(rounds):
        for name, function in parts(graph).items():
            cpu, wall = time.process_time(), time.perf_counter()
            for content in contents:
                function(content)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            found[name].append(Cost(cpu / len(contents) * 1000, wall / len(contents) * 1000))
    return {name: best(costs) for name, costs in found.items()}


def cost_of_stage(contents: Sequence[bytes], images: int, rounds: int) -> Cost:
    """The cost of `measure` on all cores."""
    counts = (images // 3, images)
    few, many = (best([_run_stage(contents, count) for _ in range(rounds)]) for count in counts)
    return Cost(
        *((after - before) / (counts[1] - counts[0]) * 1000 for before, after in zip(few, many, strict=True))
    )


def best(costs: Iterable[Cost]) -> Cost:
    """The minimum of each figure."""
    return Cost(*map(min, zip(*costs, strict=True)))


def _run_stage(contents: Sequence[bytes], images: int) -> Cost:
    """Seconds of one run in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        store = project.raw("stones") / "images"
        store.mkdir(parents=True)
        rows = []
        for number in range(images):
            content = with_comment(contents[number % len(contents)], str(number))
            (store / f"{number}.jpg").write_bytes(content)
            sha256 = hashlib.sha256(content).hexdigest()
            rows.append({"site": "stones", "sha256": sha256, "path": f"images/{number}.jpg"})
        write_table(store.parent / "images.parquet", pa.Table.from_pylist(rows, IMAGES))
        settings = MeasureParams(stroke_density=1)  # skips text detection: no image is all strokes
        cpu, wall = cpu_seconds(), time.perf_counter()
        measure(project, "stones", settings)
        return Cost(cpu_seconds() - cpu, (time.perf_counter() - wall) * worker_count())


def cpu_seconds() -> float:
    """CPU seconds of this process and of its finished children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    """Print milliseconds per image and their ratio to `decode`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stones", type=int, default=24)
    parser.add_argument("--images", type=int, default=1500, help="of the stage")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    lines = []
    for side in SIDES:
        contents = stones(options.stones, side)
        with tempfile.TemporaryDirectory() as folder:
            costs = cost_of_parts(contents, options.rounds, graph_file(Path(folder)))
        costs["the stage"] = cost_of_stage(contents, options.images, 2)
        size = f"{np.mean([len(content) for content in contents]) / 1000:.0f} kB"
        floor = costs["decode"].cpu
        for name, cost in costs.items():
            lines.append([name, f"{side} px", size, *(f"{ms:.3f}" for ms in cost), f"{cost.cpu / floor:.2f}"])
    print(table(["part", "side", "file", "CPU ms", "wall ms", "CPU / decode"], lines))


if __name__ == "__main__":
    main()
