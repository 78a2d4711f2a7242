"""How long a call takes, of several ways to do the same: measured in turns, so that all see one machine."""

import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import TypeVar

from gemkit.progress import Progress

Way = TypeVar("Way")

#: Calls a turn: of more than one, most find the caches as they left them. A slow network gets fewer turns.
_CALLS, _TURNS, _LEAST_TURNS, _SECONDS = 5, 40, 3, 20.0


def median_milliseconds(ways: Mapping[Way, Callable[[], object]]) -> dict[Way, float]:
    """The median of 15 to 200 calls of each way."""
    for way in ways.values():
        way()
    taken: dict[Way, list[float]] = {name: [] for name in ways}
    start = time.monotonic()
    with Progress("time", _TURNS, "turns") as progress:
        for turn in range(_TURNS):
            if turn >= _LEAST_TURNS and time.monotonic() - start > _SECONDS:
                break
            for name, way in ways.items():
                for _ in range(_CALLS):
                    before = time.perf_counter()
                    way()
                    taken[name].append(1000 * (time.perf_counter() - before))
            progress.advance()
    return {name: median(values) for name, values in taken.items()}


def processor() -> str:
    """What this machine's processor is called."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
