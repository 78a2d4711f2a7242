"""Threads that fetch, and one thread that decides and writes."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from scraper.crawling.job_queue import JobQueue
from scraper.http.errors import Stopped

Job = TypeVar("Job")
Result = TypeVar("Result")

#: How long requests in flight may continue after Ctrl-C or a block, seconds.
_GRACE_SECONDS = 3.0

#: Over all hosts.
_MOST_IN_FLIGHT = 64

#: A job that is due is taken so much later, seconds: without it the loop might spin.
_CLOCK_SECONDS = 0.01

#: How often `on_idle` is called while no result arrives, seconds.
_IDLE_SECONDS = 0.5


def map_unordered(
    jobs: JobQueue[Job],
    function: Callable[[Job], Result],
    stop: threading.Event,
    on_idle: Callable[[], None],
) -> Iterator[tuple[Job, Result]]:
    """`function` of each job of a queue, in any order, until the queue is empty and no job is in flight.

    Jobs may be added and put back while this runs. On Ctrl-C or an exception in `function`, `stop` is set,
    jobs in flight that end soon are still yielded, and the exception is raised.
    """
    todo: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Job, Result | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        while (job := todo.get()) is not None:
            try:
                done.put((job, function(job), None))
            except BaseException as error:  # handed to the caller's thread, which raises it
                done.put((job, None, error))

    threads, in_flight, failure, deadline = 0, 0, None, float("inf")
    try:
        while True:
            try:
                while failure is None and in_flight < _MOST_IN_FLIGHT and (job := jobs.take()) is not None:
                    todo.put(job)
                    in_flight += 1
                    if in_flight > threads:
                        # A daemon: a request that hangs must not keep the process alive.
                        threading.Thread(target=run, daemon=True).start()
                        threads += 1
                if (in_flight == 0 and (failure or jobs.empty)) or time.monotonic() > deadline:
                    break
                try:
                    job, result, error = done.get(timeout=min(_IDLE_SECONDS, jobs.wait() + _CLOCK_SECONDS))
                except queue.Empty:
                    on_idle()
                    continue
                in_flight -= 1
                jobs.done(job)
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
