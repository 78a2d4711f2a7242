"""Images per second and core without a rate limit, compared with img2dataset and Scrapy's ImagesPipeline.

    python -m benchmarks.crawling.speed [--images 5000] [--rounds 3]

All fetch the same images from the same server with 16 requests at a time, the client on one core and the
server on another. gemscrape decodes a file to its end, hashes it, writes it under another name, fsyncs and
renames it, and commits to SQLite. img2dataset decodes and hashes it, Scrapy decodes and re-encodes it. Both
write directly to the final name, so here they get a writer that works like gemscrape's. Rates are measured by
the server's clock, from the first image request to the last.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

from benchmarks._commands import GEMSCRAPE, finish, output_tail, running, table
from benchmarks._unique_jpegs import Gallery, template
from benchmarks.crawling._server import Server, serve
from benchmarks.peers._peers import IMG2DATASET, SCRAPY, peers

#: Side of the images in pixels: files of about 20 and 150 kB.
SIDES = (280, 830)
CRAWLERS = ["gemscrape", "img2dataset", "Scrapy"]
CONCURRENCY = 16

_LONGEST_SECONDS = 600.0
_SITE = """\
kind = "links"
title = "Gallery"
contact = "bench@example.com"
image_hosts = ["{host}"]
links = "links.csv"
limits = {{ requests_per_second = 1_000_000, concurrency = {concurrency} }}
"""


class Speed(NamedTuple):
    """Results of one run: files, images per second, CPU milliseconds per image (with process start-up)."""

    files: int
    rate: float
    cpu: float


def command(crawler: str, server: Server, folder: Path, images: list[str]) -> list[str | Path]:
    """The command line of a crawler; writes the files that it needs into the folder."""
    urls = [server.url + path for path in images]
    if crawler.startswith("gemscrape"):
        (folder / "links.csv").write_text("\n".join(["class,image_url", *(f"All,{url}" for url in urls)]))
        (folder / "params.yaml").write_text("sites: []\n")
        site = folder / "gallery.toml"
        site.write_text(_SITE.format(host=server.host, concurrency=CONCURRENCY))
        profiled = [sys.executable, Path(__file__).with_name("_profile.py")]
        return [*(profiled if "profiled" in crawler else [GEMSCRAPE]), "crawl", "--site", site]
    python = peers()
    assert python is not None
    if crawler == "Scrapy":
        return [python, SCRAPY, "images", f"{server.url}/gemstones"]
    (folder / "urls.txt").write_text("\n".join(urls))
    return [python, IMG2DATASET, "urls.txt", str(CONCURRENCY)]


def measure(crawler: str, images: int, side: int, folder: Path) -> Speed:
    """One run in an empty folder. Raises RuntimeError if it skips images."""
    cores = sorted(os.sched_getaffinity(0))
    shop = Gallery(images, side)
    with serve(partial(Gallery, images, side), core=cores[-1]) as server:
        before = _cpu()
        with running(command(crawler, server, folder, shop.images), folder, cores[0]) as process:
            finish(process, folder, _LONGEST_SECONDS)
        cpu = _cpu() - before
        times = [request.at for request in server.requests() if request.kind == "image"]
    if len(times) < images:
        raise RuntimeError(f"{crawler} requested {len(times)} of {images}:\n{output_tail(folder)}")
    files = sum(1 for _ in folder.rglob("*.jpg"))
    return Speed(files, (len(times) - 1) / (times[-1] - times[0]), cpu / images * 1000)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def rows(
    images: int, rounds: int, side: int, crawlers: list[str], folders: Iterator[Path]
) -> Iterator[list[str]]:
    """Rows of the table for images of one size; the crawlers take turns."""
    speeds: dict[str, list[Speed]] = {crawler: [] for crawler in crawlers}
    for _ in range(rounds):
        for crawler in crawlers:
            speeds[crawler].append(measure(crawler, images, side, next(folders)))
    for crawler, found in speeds.items():
        rates = [speed.rate for speed in found]
        yield [
            crawler,
            f"{len(template(side)) / 1000:.0f} kB",
            str(min(speed.files for speed in found)),
            f"{statistics.median(rates):.0f}",
            f"{min(rates):.0f} to {max(rates):.0f}",
            f"{statistics.median(speed.cpu for speed in found):.2f}",
        ]


def profile(images: int, side: int, folder: Path) -> dict[str, float]:
    """The CPU time of each part of gemscrape, in microseconds per image."""
    measure("gemscrape, profiled", images, side, folder)
    seconds = json.loads((folder / "profile.json").read_text())
    return {part: spent / images * 1e6 for part, spent in seconds.items()}


def empty_folders(parent: Path) -> Iterator[Path]:
    """One after the other. None is deleted in between: ext4 is slow to reuse the space of deleted files."""
    for number in count():
        folder = parent / str(number)
        folder.mkdir()
        yield folder


def main() -> None:
    """Run all crawlers in turn and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        print("Skipped: it needs two cores to which processes can be bound.")
        return
    crawlers = CRAWLERS if peers() else CRAWLERS[:1]
    with tempfile.TemporaryDirectory() as name:
        folders = empty_folders(Path(name))
        found = [
            row for side in SIDES for row in rows(options.images, options.rounds, side, crawlers, folders)
        ]
        profiles = [profile(options.images, side, next(folders)) for side in SIDES]
    print(table(["crawler", "size", "files", "images/s", "spread", "CPU ms per image"], found))
    print("\nCPU time of gemscrape's parts, microseconds per image\n")
    head = ["part", *(row[1] for row in found[:: len(crawlers)])]
    print(table(head, [[part, *(f"{spent[part]:.0f}" for spent in profiles)] for part in profiles[0]]))


if __name__ == "__main__":
    main()
