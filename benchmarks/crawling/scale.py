"""Crawl the whole published catalogue at full speed: is each image fetched once, at a constant speed?

    python -m benchmarks.crawling.scale [--part 1.0]

222 categories with their pages, 63,933 product pages and 118,915 image links to 73,432 small images, served
by a replica on loopback. The crawler is the command that users run.
"""

import argparse
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path

import psutil

from benchmarks._commands import GEMSCRAPE, finish, replica_site, running, table
from benchmarks.crawling import _replica
from benchmarks.crawling._server import Request, serve

_LONGEST_SECONDS = 3600.0


def peak_memory(process: subprocess.Popen[bytes], seconds: float) -> int:
    """Wait up to `seconds` for a process to end; returns its peak memory in bytes."""
    watched, peak, deadline = psutil.Process(process.pid), 0, time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(psutil.NoSuchProcess):
            peak = max(peak, watched.memory_info().rss)
        time.sleep(0.2)
    return peak


def tenths(requests: list[Request]) -> list[float]:
    """Milliseconds per request in each tenth of them, by the server's clock."""
    cuts = [requests[(len(requests) - 1) * n // 10].at for n in range(11)]
    return [(end - start) / (len(requests) / 10) * 1000 for start, end in pairwise(cuts)]


def main() -> None:
    """Crawl the replica and print the time and memory it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", type=float, default=1.0, help="share of the products")
    part = parser.parse_args().part
    if why := _replica.missing():
        print(why)
        return
    shop = _replica.Replica(part)
    with tempfile.TemporaryDirectory() as name, serve(partial(_replica.Replica, part)) as server:
        folder = Path(name)
        site = replica_site(folder, server.host, requests_per_second=1_000_000, concurrency=16)
        begin = time.monotonic()
        with running([GEMSCRAPE, "crawl", "--site", site], folder) as process:
            peak = peak_memory(process, _LONGEST_SECONDS)
            finish(process, folder)
        seconds = time.monotonic() - begin
        log = server.requests()
    times = Counter(request.path for request in log if request.kind == "image")
    by_kind = {kind: [request for request in log if request.kind == kind] for kind in ("page", "image")}
    once = sum(times[path] == 1 for path in shop.images)
    print(f"{shop.links} image links to {len(shop.images)} images on {len(shop.products)} product pages")
    print(f"fetched exactly once: {once}; more than once or not listed: {len(times) - once}")
    print(f"{len(log)} requests in {seconds:.0f} s; peak memory {peak / 2**20:.0f} MiB")
    head = ["ms per request in each tenth", *(str(number) for number in range(1, 11))]
    rows = [
        [f"{len(found)} {kind}s", *(f"{value:.2f}" for value in tenths(found))]
        for kind, found in by_kind.items()
    ]
    print(table(head, rows))


if __name__ == "__main__":
    main()
