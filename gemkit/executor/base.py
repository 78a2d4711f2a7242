"""Shared by all executors: the limits for one item, and the placeholder for a result that failed."""

import os
from typing import NamedTuple


class Limits(NamedTuple):
    """Limits for one item: seconds, and the megabytes of data in its worker's memory (enforced on Linux)."""

    seconds: float = 60.0
    memory_mb: int = 2048


class GivenUp(NamedTuple):
    """Replaces the result of an item that killed its worker; `reason` completes the sentence "it …"."""

    reason: str


def worker_count() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
