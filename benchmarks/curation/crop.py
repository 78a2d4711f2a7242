"""Cost of the stage `crop` compared with the codec, a plain loop of OpenCV calls, and the network.

    python -m benchmarks.curation.crop [--stones 24] [--images 1200] [--network 96] [--rounds 3]

The images are the demo store's stones as JPEG, and the visible crops have 112 pixels. Classical: the stage's
own decode and encode alone (of the whole image, and of an image of the stored size, in the stage's own
workers), the published loop (read with OpenCV, Canny, box, resize, write, with one thread per core), and the
stage itself. Network: the `run` of u2netp alone in one process per core, and the stage with `removal: rembg`.
Process start-up is excluded: the cost is the difference of two runs. The parts alternate, and the best round
counts. Wall time is given per core. Memory is that of all processes of the stage together, with shared pages
counted once.
"""

import argparse
import contextlib
import hashlib
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np
import psutil
import pyarrow as pa

from benchmarks._commands import GEMSCRAPE, running, table
from benchmarks._unique_jpegs import with_comment
from benchmarks.curation.balance import cost_of
from benchmarks.curation.measure import Cost, best, stones
from curation.cropping.crop import crop
from curation.cropping.params import read_crop
from curation.cropping.rembg_model import session
from curation.cropping.rembg_weights import fetch
from curation.imaging.centre_crop import stored_side
from curation.tables import CLEAN
from gemkit.executor.base import worker_count
from gemkit.executor.local import map_shards
from gemkit.image_codec import decode, encode_jpeg
from gemkit.project import Project
from gemkit.tables import write_table

SIDES = (300, 600, 1200)
SIZE = 112
MODEL = "u2netp"
#: The project in the current folder.
_PROJECT = Project()
_IMAGES = _PROJECT.raw("shop") / "images"
#: Images per shard.
_SHARD = 32
_GEMCURATE = GEMSCRAPE.with_name("gemcurate")


def write_project(contents: Sequence[bytes], count: int, removal: str) -> None:
    """Write parameters, images and the table that `crop` reads into the working directory."""
    Path("params.yaml").write_text(f"crop: {{size: {SIZE}, removal: {removal}, model: {MODEL}}}")
    _IMAGES.mkdir(parents=True)
    rows = []
    for number in range(count):
        content = with_comment(contents[number % len(contents)], str(number))
        path = _IMAGES / f"{number}.jpg"
        path.write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        rows.append({"sha256": sha256, "path": f"shop/images/{path.name}", "variety": "ruby", "keep": True})
    rows.sort(key=lambda row: str(row["sha256"]))
    write_table(_PROJECT.clean_table, pa.Table.from_pylist(rows, CLEAN))


def published_loop(images: int) -> None:
    """Cut out, scale and write the box around all edges of each image."""
    target = Path("cut")
    target.mkdir()

    def one(path: Path) -> None:
        image = cv2.imread(str(path))
        edges = cv2.Canny(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), 100, 200)
        left, top, width, height = cv2.boundingRect(edges)
        if width and height:
            image = image[top : top + height, left : left + width]
        cv2.imwrite(str(target / path.name), cv2.resize(image, (stored_side(SIZE),) * 2))

    with ThreadPoolExecutor(worker_count()) as pool:
        list(pool.map(one, sorted(_IMAGES.iterdir())[:images]))


def codec(paths: Sequence[Path]) -> int:
    """Decode each image and encode as many pixels as its stored crop has; returns the number of images."""
    side = stored_side(SIZE)
    for path in paths:
        encode_jpeg(np.ascontiguousarray(decode(path.read_bytes()).pixels[:side, :side]))
    return len(paths)


def codecs(images: int) -> None:
    """The codec alone on `images` images, in one process per core like the stage."""
    paths = sorted(_IMAGES.iterdir())[:images]
    list(map_shards(codec, (paths[at : at + _SHARD] for at in range(0, len(paths), _SHARD))))


def run_network(times: int) -> int:
    """Run the network alone `times` times."""
    network = session(MODEL).inner_session
    name = network.get_inputs()[0].name
    blank = np.zeros((1, 3, 320, 320), np.float32)
    for _ in range(times):
        network.run(None, {name: blank})
    return times


def networks(images: int) -> None:
    """Run the network alone for `images` images, in one process per core."""
    list(map_shards(run_network, repeat(4, images // 4)))


def stage(images: int) -> None:
    """The stage itself."""
    crop(_PROJECT, read_crop(_PROJECT.params))


def difference(
    run: Callable[[int], None], contents: Sequence[bytes], images: int, removal: str = "classical"
) -> Cost:
    """Cost of one more image, from two runs in new projects."""
    costs = []
    for count in (images // 3, images):
        with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
            write_project(contents, count, removal)
            costs.append(cost_of(partial(run, count), 1))
    few, many = costs
    return Cost(*((b - a) / (images - images // 3) for a, b in zip(few, many, strict=True)))


def costs_of_classical(contents: Sequence[bytes], images: int, rounds: int) -> dict[str, Cost]:
    """Milliseconds per image of each part."""
    found: defaultdict[str, list[Cost]] = defaultdict(list)
    for _ in range(rounds):
        found["decode and encode alone"].append(difference(codecs, contents, images))
        found["the published loop"].append(difference(published_loop, contents, images))
        found["the stage, classical"].append(difference(stage, contents, images))
    return {part: best(costs) for part, costs in found.items()}


def costs_of_network(contents: Sequence[bytes], images: int, rounds: int) -> dict[str, Cost]:
    """Milliseconds per image of the network and of the stage with it."""
    found: defaultdict[str, list[Cost]] = defaultdict(list)
    for _ in range(rounds):
        found["the network alone"].append(difference(networks, contents, images))
        found["the stage, rembg"].append(difference(stage, contents, images, "rembg"))
    return {part: best(costs) for part, costs in found.items()}


def memory(contents: Sequence[bytes], images: int, removal: str) -> tuple[float, float]:
    """Peak memory of the stage in megabytes: of all its processes, and of the largest worker."""
    total, largest = 0, 0
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        write_project(contents, images, removal)
        with running([_GEMCURATE, "crop"], Path(name)) as process:
            parent = psutil.Process(process.pid)
            while process.poll() is None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    workers = [child.memory_full_info().pss for child in parent.children(recursive=True)]
                    total = max(total, parent.memory_full_info().pss + sum(workers))
                    largest = max([largest, *workers])
                time.sleep(0.05)
            if process.returncode:
                raise RuntimeError(Path("output.txt").read_text())
    return total / 1e6, largest / 1e6


def _rows(costs: dict[str, Cost], title: str) -> Iterator[list[str]]:
    """Rows of a table, each with its ratio to the first."""
    base = next(iter(costs.values()))
    for part, cost in costs.items():
        ratios = (f"{of / by:.2f}" for of, by in zip(cost, base, strict=True))
        yield [part, title, *(f"{milliseconds:.2f}" for milliseconds in cost), *ratios]


def main() -> None:
    """Print milliseconds per image, their ratio to the first part, and memory."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stones", type=int, default=24)
    parser.add_argument("--images", type=int, default=1200)
    parser.add_argument("--network", type=int, default=96, help="images cropped by the network")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    fetch(MODEL)
    head = ["part", "image", "CPU ms", "wall ms", "CPU ratio", "wall ratio"]
    lines = []
    for side in SIDES:
        contents = stones(options.stones, side)
        lines += _rows(costs_of_classical(contents, options.images, options.rounds), f"{side} px")
    print(table(head, lines))
    contents = stones(options.stones, SIDES[1])
    costs = costs_of_network(contents, options.network, options.rounds)
    print(table(head, list(_rows(costs, f"{SIDES[1]} px"))))
    for removal, images in (("classical", options.images), ("rembg", options.network)):
        total, largest = memory(stones(options.stones, SIDES[-1]), images, removal)
        print(f"memory, {removal}, {SIDES[-1]} px: {total:.0f} MB, of which a worker {largest:.0f} MB")


if __name__ == "__main__":
    main()
