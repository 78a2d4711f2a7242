"""Shared by all executors: the limits for one item, and the placeholder for a result that failed."""

import os
from typing import Literal, NamedTuple


class Limits(NamedTuple):
    """Limits for one item: seconds, and the megabytes of data in its worker's memory (enforced on Linux)."""

    seconds: float = 60.0
    memory_mb: int = 2048


class GivenUp(NamedTuple):
    """Replaces the result of an item that killed its worker.

    `kind`: it exceeded a limit (`time`, `memory`), or its worker was `killed` from outside or `crashed`;
    `reason`: completes the sentence "it …", for people.
    """

    kind: Literal["time", "memory", "killed", "crashed"]
    reason: str


def worker_count() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
