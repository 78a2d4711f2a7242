"""How much of the allowed rate a crawler uses, and how often the shop must reject it.

    python -m benchmarks.crawling.politeness [--seconds 60]

Each crawler runs against replicas of the shop that allow 5, 20 and 100 requests a second: a token bucket with
a burst of ten, 429 beyond it, and a block of a minute after thirty rejections within ten seconds. A response
takes 0.1 s.
"""

import argparse
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from urllib.parse import urljoin

import requests

from benchmarks._commands import GEMSCRAPE, output_tail, replica_site, running, table
from benchmarks.crawling import _replica
from benchmarks.crawling._server import Request, Server, serve
from benchmarks.peers._peers import SCRAPY, peers
from scraper.demo_store.rate_limit import RateLimit

#: Starts a crawler in its own folder, against a server that allows a given rate.
Start = Callable[[float, Server, Path], AbstractContextManager[None]]

RATES = (5, 20, 100)
LATENCY = 0.1

#: How long a crawler may take to start, seconds.
_START = 10.0

#: Enough pages and images that no crawler finishes in time.
_PART = 0.1


@contextmanager
def gemscrape(server: Server, folder: Path, **limits: float) -> Iterator[None]:
    """The crawler, with a known or an unknown rate."""
    site = replica_site(folder, server.host, concurrency=32, **limits)
    with running([GEMSCRAPE, "crawl", "--site", site], folder):
        yield


@contextmanager
def scrapy(python: Path, server: Server, folder: Path) -> Iterator[None]:
    """Scrapy with AutoThrottle and otherwise default settings, obeying robots.txt."""
    with running([python, SCRAPY, "polite", f"{server.url}/gemstones"], folder):
        yield


@cache
def product_pages() -> list[str]:
    """Paths of the shop's product pages."""
    return list(_replica.Replica(_PART).products)


@contextmanager
def published(server: Server, folder: Path) -> Iterator[None]:
    """The method of the published notebooks: twelve threads that sleep a random time between requests."""
    paths = iter(product_pages())
    stop = threading.Event()

    def fetch() -> None:
        for path in paths:
            requests.get(urljoin(server.url, path), timeout=30)
            if stop.wait(random.uniform(0.5, 1.5)):
                return

    threads = [threading.Thread(target=fetch, daemon=True) for _ in range(12)]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    for thread in threads:
        thread.join()


def contestants() -> Iterator[tuple[str, Start]]:
    """Each crawler with its name."""
    yield "gemscrape, rate known", lambda rate, *where: gemscrape(*where, requests_per_second=rate)
    yield "gemscrape, rate unknown", lambda rate, *where: gemscrape(*where, max_requests_per_second=1000)
    if python := peers():
        yield "Scrapy, AutoThrottle", lambda rate, *where: scrapy(python, *where)
    yield "12 threads, random delays", lambda rate, *where: published(*where)


def measure(start: Start, seconds: float) -> list[list[Request]]:
    """The requests to each server within `seconds` of its first one; all servers run at the same time."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        servers = []
        for rate in RATES:
            limits = RateLimit(rate, burst=10, max_rejections=30, block_seconds=60)
            servers.append(stack.enter_context(serve(partial(_replica.Replica, _PART), limits, LATENCY)))
        with ExitStack() as crawlers:
            for rate, server in zip(RATES, servers, strict=True):
                subfolder = Path(folder) / str(rate)
                subfolder.mkdir()
                crawlers.enter_context(start(rate, server, subfolder))
            time.sleep(_START + seconds)
        logs = [server.requests() for server in servers]
        for rate, log in zip(RATES, logs, strict=True):
            if not log:
                raise RuntimeError(f"nothing was requested:\n{output_tail(Path(folder) / str(rate))}")
    return [[request for request in log if request.at < log[0].at + seconds] for log in logs]


def row(name: str, rate: float, log: list[Request], seconds: float) -> list[str]:
    """The row of the table for one crawler and rate."""
    first, served = log[0].at, [request.at for request in log if request.status == 200]
    late = sum(at >= first + seconds / 2 for at in served)
    rejected = sum(request.status == 429 for request in log)
    return [
        name,
        str(rate),
        str(len(log)),
        f"{len(served) / (rate * seconds):.1%}",
        f"{late / (rate * seconds / 2):.1%}",
        f"{rejected / len(log):.2%}",
        "yes" if any(request.status == 403 for request in log) else "no",
    ]


def main() -> None:
    """Run the crawlers one after the other and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    seconds = parser.parse_args().seconds
    if why := _replica.missing():
        print(why)
        return
    rows = []
    for name, start in contestants():
        for rate, log in zip(RATES, measure(start, seconds), strict=True):
            rows.append(row(name, rate, log, seconds))
    head = ["crawler", "allowed/s", "requests", "share used", "in the second half", "429", "blocked"]
    print(table(head, rows))


if __name__ == "__main__":
    main()
