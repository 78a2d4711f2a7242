"""What a running crawl is doing, for `gemscrape status`: a small file that is replaced once a second."""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from gemkit.tables import write_text
from scraper.http.rate_limiter import Governor

_SECONDS = 1.0


@dataclass(frozen=True)
class LiveHost:
    """A host now; rates in requests a second, `waiting` in seconds; `settled`: `rate_allowed` is known."""

    host: str
    rate_now: float
    rate_allowed: float
    settled: bool
    waiting: float
    requests: int
    turned_away: int
    faults: int


@dataclass(frozen=True)
class Live:
    """A crawl at one moment; `started` is in wall clock seconds, `total` is what is known so far."""

    started: float
    phase: str
    done: int
    total: int
    hosts: list[LiveHost]


class LiveFile:
    """Writes the file of one crawl; `governors` gives those of the hosts asked so far."""

    def __init__(self, path: Path, governors: Callable[[], Iterable[Governor]]):
        self._path, self._governors = path, governors
        self._started, self._next = time.time(), 0.0

    def update(self, phase: str, done: int, total: int) -> bool:
        """Say how far the crawl is, at most once a second; whether it was time to."""
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + _SECONDS
        hosts = [
            LiveHost(
                governor.host,
                governor.counters.rate_now,
                governor.pace.rate,
                governor.pace.settled,
                governor.waiting,
                governor.counters.requests,
                governor.counters.turned_away,
                governor.counters.faults,
            )
            for governor in self._governors()
        ]
        live = Live(self._started, phase, done, total, hosts)
        write_text(self._path, json.dumps(asdict(live)) + "\n")
        return True


def read_live(path: Path) -> Live | None:
    """What the last crawl said last, None when there is nothing readable."""
    try:
        values = json.loads(path.read_text())
        hosts = [LiveHost(**host) for host in values.pop("hosts")]
        return Live(**values, hosts=hosts)
    except (OSError, ValueError, TypeError, KeyError):
        return None
