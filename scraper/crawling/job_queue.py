"""What is left to fetch: the hosts in turn, and of each host the fresh jobs before those that failed."""

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Job = TypeVar("Job")


@dataclass
class _Lane(Generic[Job]):
    """The jobs of one host; `later` is a heap of when a job is due, and the job."""

    fresh: deque[Job] = field(default_factory=deque)
    later: list[tuple[float, int, Job]] = field(default_factory=list)
    in_flight: int = 0
    closed: bool = False

    def due(self, now: float) -> float:
        """When the next job is due; `now` or earlier if there is one now."""
        return now if self.fresh else self.later[0][0] if self.later else float("inf")

    def pop(self) -> Job:
        return self.fresh.popleft() if self.fresh else heapq.heappop(self.later)[2]


class JobQueue(Generic[Job]):
    """Jobs by host, of which at most `places` of each host are in flight; used from one thread.

    `host_of` names a job's host. `pause` tells for how many seconds a host is not to be contacted: its jobs
    are taken only when no other host has any, so that a host that waits holds up no other.
    """

    def __init__(self, host_of: Callable[[Job], str], places: int, pause: Callable[[str], float]):
        self._host_of, self._places, self._pause = host_of, places, pause
        self._lanes: dict[str, _Lane[Job]] = {}
        self._number = itertools.count()

    def add(self, job: Job) -> None:
        """Add a fresh job."""
        self._lane(job).fresh.append(job)

    def take(self) -> Job | None:
        """A job whose host has a free place; None if no job is due now."""
        now = time.monotonic()
        ready = [
            host
            for host, lane in self._lanes.items()
            if lane.in_flight < self._places and lane.due(now) <= now
        ]
        if not ready:
            return None
        host = min(ready, key=self._pause) if len(ready) > 1 else ready[0]
        lane = self._lanes.pop(host)
        self._lanes[host] = lane  # the last one of the next turn
        lane.in_flight += 1
        return lane.pop()

    def put_back(self, job: Job, seconds: float) -> None:
        """Take a job again after that time, when there are no fresh ones."""
        lane = self._lane(job)
        if not lane.closed:
            heapq.heappush(lane.later, (time.monotonic() + seconds, next(self._number), job))

    def done(self, job: Job) -> None:
        """A job that was taken is no longer in flight."""
        self._lane(job).in_flight -= 1

    def drop_host(self, job: Job) -> None:
        """Forget all jobs of this job's host, also those that are in flight."""
        lane = self._lane(job)
        lane.closed = True
        lane.fresh.clear()
        lane.later.clear()

    @property
    def empty(self) -> bool:
        """Whether no job is left to take, now or later."""
        return not any(lane.fresh or lane.later for lane in self._lanes.values())

    def wait(self) -> float:
        """Seconds until a job of a host with a free place is due; infinite without one."""
        free = (lane for lane in self._lanes.values() if lane.in_flight < self._places)
        return max(0.0, min((lane.due(0.0) for lane in free), default=float("inf")) - time.monotonic())

    def _lane(self, job: Job) -> _Lane[Job]:
        return self._lanes.setdefault(self._host_of(job), _Lane())
