"""What every executor shares: limits of one item, and what stands for a result that never came."""

import os
from typing import NamedTuple


class Limits(NamedTuple):
    """What one item may take: seconds, and megabytes of all data in its worker's memory (on Linux)."""

    seconds: float = 60.0
    memory_mb: int = 2048


class GivenUp(NamedTuple):
    """Stands for the result of an item that its worker did not survive; `reason` goes on from "it …"."""

    reason: str


def worker_count() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
