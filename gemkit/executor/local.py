"""Run CPU work in worker processes, one per core.

Results are streamed, memory is bounded, and a crash of a worker costs one item.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from multiprocessing.connection import wait
from typing import Any, TypeVar

from gemkit.errors import UserError
from gemkit.executor.base import GivenUp, Limits, worker_count
from gemkit.executor.worker import Task, Worker

Shard = TypeVar("Shard")
Item = TypeVar("Item")
Result = TypeVar("Result")

#: Tasks per worker: the current one and the next, so that it does not wait for the parent.
_TASKS_PER_WORKER = 2

#: Default number of items in a task: sending a message costs as much as a small image.
_BATCH = 16

#: After this many consecutive failures the items are not to blame.
_MAX_CONSECUTIVE_FAILURES = 10


def map_shards(
    function: Callable[[Shard], Result], shards: Iterable[Shard], workers: int | None = None
) -> Iterator[Result]:
    """Apply `function` to each shard, in order, with at most two shards per worker in flight.

    `function` must be pure and importable; its exceptions are raised here. Workers ignore Ctrl-C and end with
    the parent, even when the parent is killed. Raises UserError when a worker dies earlier.
    """
    with closing(_WorkerPool(function, workers, None)) as pool:
        in_flight: deque[Task] = deque()
        for shard in shards:
            in_flight.append(pool.submit(Task([shard])))
            if len(in_flight) >= pool.capacity:
                yield pool.wait_for(in_flight.popleft())[0]
        while in_flight:
            yield pool.wait_for(in_flight.popleft())[0]


def map_items(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    limits: Limits,
    workers: int | None = None,
    batch: int = _BATCH,
) -> Iterator[list[tuple[Item, Result | GivenUp]]]:
    """Apply `function` to each untrusted item, in tasks of at most `batch` items, in any order.

    Like `map_shards`, but an item that kills its worker or exceeds the limits affects no other item. It is
    retried once, alone in a fresh worker (an earlier item may have broken the first one), and then given up.
    Raises UserError when many items in a row are given up.
    """
    with closing(_WorkerPool(function, workers, limits)) as pool:
        for task in pool.work_through(items, batch):
            yield list(zip(task.items, task.results, strict=True))


def map_in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    limits: Limits,
    max_held: int,
    size: Callable[[Result | GivenUp], int] = lambda result: 1,
    workers: int | None = None,
    batch: int = _BATCH,
) -> Iterator[Result | GivenUp]:
    """Like `map_items`, but yields only the results, in the order of the items.

    Finished results wait for those of slower items before them. While their total size exceeds `max_held`
    (by default their number), no further items are started.
    """
    waiting: dict[int, Result | GivenUp] = {}
    following = held = 0

    def has_capacity() -> bool:
        return held <= max_held

    with closing(_WorkerPool(partial(_apply_to_numbered, function), workers, limits)) as pool:
        for task in pool.work_through(enumerate(items), batch, has_capacity):
            for (number, _), result in zip(task.items, task.results, strict=True):
                waiting[number] = result
                held += size(result)
            while following in waiting:
                result = waiting.pop(following)
                held -= size(result)
                following += 1
                yield result


def _apply_to_numbered(function: Callable[[Item], Result], item: tuple[int, Item]) -> Result:
    return function(item[1])


class _WorkerPool:
    """Up to `workers` processes (default: one per core), each started when there is work for it."""

    def __init__(self, function: Callable[[Any], Any], workers: int | None, limits: Limits | None):
        self._function, self._limits = function, limits
        self._size = workers or worker_count()
        self.capacity = _TASKS_PER_WORKER * self._size
        self._workers: list[Worker] = []
        self._waiting: deque[Task] = deque()

    @property
    def in_flight(self) -> int:
        """Number of unfinished tasks."""
        return len(self._waiting) + sum(len(worker.tasks) for worker in self._workers)

    def submit(self, task: Task) -> Task:
        self._waiting.append(task)
        self._dispatch()
        return task

    def wait_for(self, task: Task) -> list[Any]:
        """The results of a task."""
        while not task.results:
            self.finish()
        return task.results

    def work_through(
        self, items: Iterable[Any], batch: int, has_capacity: Callable[[], bool] = lambda: True
    ) -> Iterator[Task]:
        """Yield tasks as they finish. No task is started while the caller has no capacity for its results."""
        remaining = iter(items)
        in_a_row = 0
        while True:
            while (
                self.in_flight < self.capacity
                and has_capacity()
                and (chunk := list(islice(remaining, batch)))
            ):
                self.submit(Task(chunk))
            if not self.in_flight:
                return
            for task in self.finish():
                last = task.results[0]
                in_a_row = in_a_row + 1 if isinstance(last, GivenUp) else 0
                if in_a_row == _MAX_CONSECUTIVE_FAILURES:
                    raise UserError(
                        f"{in_a_row} items in a row failed, the last because it {last.reason}; "
                        "raise the memory or time limit."
                    )
                yield task

    def finish(self) -> list[Task]:
        """Wait until a worker finishes a task or dies. Returns the tasks that this finished."""
        finished = []
        by_connection: dict[object, Worker] = {worker.connection: worker for worker in self._workers}
        for connection in wait([worker.connection for worker in self._workers]):
            worker = by_connection[connection]
            finished.append(worker.receive() or self._reap(worker))
        self._dispatch()
        return [task for task in finished if task]

    def close(self) -> None:
        for worker in self._workers:
            worker.end()

    def _dispatch(self) -> None:
        while self._waiting:
            worker = self._start() if self._waiting[0].alone else self._least_busy()
            if worker is None:
                return
            worker.give(self._waiting.popleft())

    def _start(self) -> Worker:
        worker = Worker(self._function, self._limits)
        self._workers.append(worker)
        return worker

    def _least_busy(self) -> Worker | None:
        ready = [worker for worker in self._workers if not any(task.alone for task in worker.tasks)]
        best = min(ready, key=lambda worker: len(worker.tasks), default=None)
        if (best is None or best.tasks) and len(self._workers) < self._size:
            return self._start()
        return best if best and len(best.tasks) < _TASKS_PER_WORKER else None

    def _reap(self, worker: Worker) -> Task | None:
        """Remove a dead worker and requeue its tasks. Returns the task of an item given up, if any."""
        end = worker.end_reason()
        if self._limits is None or worker.item < 0:
            raise UserError(f"A worker process {end.reason}; run the same command to continue.")
        self._workers.remove(worker)
        worker.end()
        given_up = None
        if worker.tasks and worker.item:
            task = worker.tasks.popleft()
            if task.alone:
                task.results, given_up = [end], task
            else:
                self._waiting.appendleft(Task([task.items.pop(worker.item - 1)], alone=True))
                worker.tasks.extend([task] if task.items else [])
        self._waiting.extend(worker.tasks)
        return given_up
