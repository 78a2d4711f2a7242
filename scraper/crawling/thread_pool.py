"""Threads that fetch, and one thread that decides and writes."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from scraper.http.errors import Stopped

Job = TypeVar("Job")
Result = TypeVar("Result")

#: How long requests in flight may continue after Ctrl-C or a block, seconds.
_GRACE_SECONDS = 3.0

#: How often `on_idle` is called while no result arrives, seconds.
_IDLE_SECONDS = 0.5


def map_unordered(
    next_job: Callable[[], Job | None],
    function: Callable[[Job], Result],
    threads: int,
    max_in_flight: Callable[[], int],
    stop: threading.Event,
    on_idle: Callable[[], None],
) -> Iterator[tuple[Job, Result]]:
    """`function` of each job from `next_job`, in any order; `next_job` runs in the caller's thread.

    At most `max_in_flight()` jobs are started and not yet yielded at a time, however many threads there are.
    `next_job` may return None and later a job again while jobs are in flight: iteration ends when none is.
    On Ctrl-C or an exception in `function`, `stop` is set, jobs in flight that end soon are still yielded,
    and the exception is raised.
    """
    todo: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Job, Result | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        while (job := todo.get()) is not None:
            try:
                done.put((job, function(job), None))
            except BaseException as error:  # handed to the caller's thread, which raises it
                done.put((job, None, error))

    # Daemons: a request that hangs must not keep the process alive.
    for _ in range(threads):
        threading.Thread(target=run, daemon=True).start()
    in_flight, failure, deadline = 0, None, float("inf")
    try:
        while True:
            try:
                while failure is None and in_flight < max_in_flight() and (job := next_job()) is not None:
                    todo.put(job)
                    in_flight += 1
                if in_flight == 0 or time.monotonic() > deadline:
                    break
                try:
                    job, result, error = done.get(timeout=_IDLE_SECONDS)
                except queue.Empty:
                    on_idle()
                    continue
                in_flight -= 1
                if error is None:
                    yield job, result  # type: ignore[misc]  # without an error there is a result
                    continue
            except KeyboardInterrupt as interrupt:
                error = interrupt
            if not isinstance(error, Stopped) and failure is None:
                failure, deadline = error, time.monotonic() + _GRACE_SECONDS
                stop.set()
    finally:
        for _ in range(threads):
            todo.put(None)
    if failure is not None:
        raise failure
