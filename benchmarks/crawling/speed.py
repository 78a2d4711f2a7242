"""Images a second and core without a limit, beside img2dataset and Scrapy's ImagesPipeline.

    python -m benchmarks.crawling.speed [--images 5000] [--rounds 3]

All fetch the same images from the same server with 16 requests at a time, the client on one core and the
server on another. gemscrape decodes a file to its end, hashes it, writes it under another name, fsyncs and
renames it, and commits to SQLite. img2dataset decodes and hashes it, Scrapy decodes and encodes it anew; both
write it straight under its name, so that they are given a writer here that does it as gemscrape does. Rates
are of the server's clock, from the first image asked for to the last.
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

from benchmarks._commands import GEMSCRAPE, finish, last_words, running, table
from benchmarks._photos import Gallery, template
from benchmarks.crawling._server import Server, serve
from benchmarks.peers._peers import IMG2DATASET, SCRAPY, peers

#: Side of the photos in pixels: files of about 20 and 150 kB.
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
    """Of one run: files, images a second, CPU milliseconds an image (with the process's start)."""

    files: int
    rate: float
    cpu: float


def command(crawler: str, server: Server, folder: Path, images: list[str]) -> list[str | Path]:
    """How a crawler is called; writes the file that it reads its task from."""
    urls = [server.url + path for path in images]
    if crawler.startswith("gemscrape"):
        (folder / "links.csv").write_text("\n".join(["class,image_url", *(f"All,{url}" for url in urls)]))
        site = folder / "gallery.toml"
        site.write_text(_SITE.format(host=server.host, concurrency=CONCURRENCY))
        clocked = [sys.executable, Path(__file__).with_name("_profile.py")]
        return [*(clocked if "clocked" in crawler else [GEMSCRAPE]), "crawl", "--site", site]
    python = peers()
    assert python is not None
    if crawler == "Scrapy":
        return [python, SCRAPY, "images", f"{server.url}/gemstones"]
    (folder / "urls.txt").write_text("\n".join(urls))
    return [python, IMG2DATASET, "urls.txt", str(CONCURRENCY)]


def measure(crawler: str, images: int, side: int, folder: Path) -> Speed:
    """One run in an empty folder. Raises RuntimeError when it leaves images out."""
    cores = sorted(os.sched_getaffinity(0))
    shop = Gallery(images, side)
    with serve(partial(Gallery, images, side), core=cores[-1]) as server:
        before = _cpu()
        with running(command(crawler, server, folder, shop.images), folder, cores[0]) as process:
            finish(process, folder, _LONGEST_SECONDS)
        cpu = _cpu() - before
        times = [request.at for request in server.requests() if request.kind == "image"]
    if len(times) < images:
        raise RuntimeError(f"{crawler} asked for {len(times)} of {images}:\n{last_words(folder)}")
    files = sum(1 for _ in folder.rglob("*.jpg"))
    return Speed(files, (len(times) - 1) / (times[-1] - times[0]), cpu / images * 1000)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def rows(
    images: int, rounds: int, side: int, crawlers: list[str], folders: Iterator[Path]
) -> Iterator[list[str]]:
    """Lines of the table for photos of one size; the crawlers take turns."""
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


def parts(images: int, side: int, folder: Path) -> dict[str, float]:
    """Where gemscrape's CPU time goes, in microseconds an image."""
    measure("gemscrape, clocked", images, side, folder)
    seconds = json.loads((folder / "parts.json").read_text())
    return {part: spent / images * 1e6 for part, spent in seconds.items()}


def empty_folders(parent: Path) -> Iterator[Path]:
    """One after the other. None is deleted in between: ext4 is slow to use deleted files' places again."""
    for number in count():
        folder = parent / str(number)
        folder.mkdir()
        yield folder


def main() -> None:
    """Run all in turns and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        print("Skipped: it takes two cores that processes can be bound to.")
        return
    crawlers = CRAWLERS if peers() else CRAWLERS[:1]
    with tempfile.TemporaryDirectory() as name:
        folders = empty_folders(Path(name))
        found = [
            row for side in SIDES for row in rows(options.images, options.rounds, side, crawlers, folders)
        ]
        where = [parts(options.images, side, next(folders)) for side in SIDES]
    print(table(["crawler", "size", "files", "images/s", "spread", "CPU ms an image"], found))
    print("\nwhere gemscrape's CPU time goes, microseconds an image\n")
    head = ["part", *(row[1] for row in found[:: len(crawlers)])]
    print(table(head, [[part, *(f"{spent[part]:.0f}" for spent in where)] for part in where[0]]))


if __name__ == "__main__":
    main()
