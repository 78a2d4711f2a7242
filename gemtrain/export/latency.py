"""Latency of several calls that do the same work, measured in turns, so that all see the same load."""

import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import TypeVar

from gemkit.progress import Progress

Name = TypeVar("Name")

#: Several calls per turn, so that most find warm caches. A slow network gets fewer turns.
_CALLS, _TURNS, _LEAST_TURNS, _SECONDS = 5, 40, 3, 20.0


def median_milliseconds(calls: Mapping[Name, Callable[[], object]]) -> dict[Name, float]:
    """The median duration of 15 to 200 calls of each."""
    for call in calls.values():
        call()
    taken: dict[Name, list[float]] = {name: [] for name in calls}
    start = time.monotonic()
    with Progress("time", _TURNS, "turns") as progress:
        for turn in range(_TURNS):
            if turn >= _LEAST_TURNS and time.monotonic() - start > _SECONDS:
                break
            for name, call in calls.items():
                for _ in range(_CALLS):
                    before = time.perf_counter()
                    call()
                    taken[name].append(1000 * (time.perf_counter() - before))
            progress.advance()
    return {name: median(values) for name, values in taken.items()}


def processor() -> str:
    """The name of this machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
