"""The progress of a running crawl, for `gemscrape status`: a small file that is replaced once a second."""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from gemkit.project import Project
from gemkit.tables import write_text
from scraper.http.rate_limiter import HostRateLimiter

_SECONDS = 1.0


@dataclass(frozen=True)
class HostSnapshot:
    """A host at one moment; rates in requests a second, `waiting` in seconds.

    `converged`: `rate_allowed` is the highest rate that the host allows.
    """

    host: str
    rate_now: float
    rate_allowed: float
    converged: bool
    waiting: float
    requests: int
    rejections: int
    failures: int


@dataclass(frozen=True)
class CrawlSnapshot:
    """A crawl at one moment; `started` is in wall clock seconds, `total` counts the items known so far."""

    started: float
    phase: str
    done: int
    total: int
    hosts: list[HostSnapshot]


class SnapshotWriter:
    """Writes the file of one crawl; `limiters` returns those of the hosts contacted so far."""

    def __init__(self, path: Path, limiters: Callable[[], Iterable[HostRateLimiter]]):
        self._path, self._limiters = path, limiters
        self._started, self._next = time.time(), 0.0

    def update(self, phase: str, done: int, total: int) -> bool:
        """Write the progress, at most once a second; returns whether it was written."""
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + _SECONDS
        hosts = [
            HostSnapshot(
                limiter.host,
                limiter.counters.rate_now,
                limiter.controller.rate,
                limiter.controller.converged,
                limiter.waiting,
                limiter.counters.requests,
                limiter.counters.rejections,
                limiter.counters.failures,
            )
            for limiter in self._limiters()
            if limiter.counters.requests or limiter.waiting
        ]
        snapshot = CrawlSnapshot(self._started, phase, done, total, hosts)
        write_text(self._path, json.dumps(asdict(snapshot)) + "\n")
        return True


def snapshot_file(project: Project, site: str) -> Path:
    """The file of the last crawl of a site."""
    return project.crawl_state / f"{site}.heartbeat.json"


def read_snapshot(path: Path) -> CrawlSnapshot | None:
    """The last snapshot of the last crawl, or None if there is no readable one."""
    try:
        values = json.loads(path.read_text())
        hosts = [HostSnapshot(**host) for host in values.pop("hosts")]
        return CrawlSnapshot(**values, hosts=hosts)
    except (OSError, ValueError, TypeError, KeyError):
        return None
