"""Threads that fetch, and one thread that decides and writes."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from scraper.http.rate_limiter import Stopped

Job = TypeVar("Job")
Result = TypeVar("Result")

#: How long requests in flight may go on after Ctrl-C or a block, seconds.
_GRACE_SECONDS = 3.0

#: How often `idle` is called when no answer comes, seconds.
_IDLE_SECONDS = 0.5


def work(
    take: Callable[[], Job | None],
    function: Callable[[Job], Result],
    threads: int,
    places: Callable[[], int],
    stop: threading.Event,
    idle: Callable[[], None],
) -> Iterator[tuple[Job, Result]]:
    """`function` of each job that `take` gives, in any order; `take` and the caller share one thread.

    At most `places()` jobs are given out and not yet yielded at a time, however many threads there are.
    `take` may give None and later a job again, as long as jobs are in flight: it ends when none is. On Ctrl-C
    or an exception in `function`, `stop` is set, what is in flight is still yielded as far as it ends soon,
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

    # Daemons: a request that hangs must not keep the process from ending.
    for _ in range(threads):
        threading.Thread(target=run, daemon=True).start()
    in_flight, failure, deadline = 0, None, float("inf")
    try:
        while True:
            try:
                while failure is None and in_flight < places() and (job := take()) is not None:
                    todo.put(job)
                    in_flight += 1
                if in_flight == 0 or time.monotonic() > deadline:
                    break
                try:
                    job, result, error = done.get(timeout=_IDLE_SECONDS)
                except queue.Empty:
                    idle()
                    continue
                in_flight -= 1
                if error is None:
                    yield job, result  # type: ignore[misc]
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
