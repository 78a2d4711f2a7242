"""CPU work in worker processes: one a core, results streamed, memory bounded, a death costs one item."""

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

#: Tasks that a worker has: the one it is at and the next, so that it does not wait for the parent.
_TASKS = 2

#: Items in a task, unless said otherwise: a message costs as much as a small image.
_BATCH = 16

#: When so many are given up and nothing else gets finished, it is not the items' fault.
_GIVEN_UP_IN_A_ROW = 10


def map_shards(
    function: Callable[[Shard], Result], shards: Iterable[Shard], workers: int | None = None
) -> Iterator[Result]:
    """`function` of each shard, in order, at most two shards a worker in flight.

    `function` must be pure and importable; what it raises is raised here. Workers leave Ctrl-C to the parent
    and end with it, even when it is killed. Raises UserError when a worker ends before that.
    """
    with closing(_Crew(function, workers, None)) as crew:
        in_flight: deque[Task] = deque()
        for shard in shards:
            in_flight.append(crew.submit(Task([shard])))
            if len(in_flight) >= crew.capacity:
                yield crew.wait_for(in_flight.popleft())[0]
        while in_flight:
            yield crew.wait_for(in_flight.popleft())[0]


def map_items(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    limits: Limits,
    workers: int | None = None,
    batch: int = _BATCH,
) -> Iterator[list[tuple[Item, Result | GivenUp]]]:
    """`function` of each item, however dangerous, at most `batch` items at a time, in any order.

    Like `map_shards`, but an item that ends its worker, or takes more than the limits, costs no other. It is
    tried once more, alone in a fresh worker (what an earlier item broke is not its fault), then given up.
    Raises UserError when one after the other is given up.
    """
    with closing(_Crew(function, workers, limits)) as crew:
        for task in crew.work_through(items, batch):
            yield list(zip(task.items, task.results, strict=True))


def map_in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    limits: Limits,
    most: int,
    size: Callable[[Result | GivenUp], int] = lambda result: 1,
    workers: int | None = None,
    batch: int = _BATCH,
) -> Iterator[Result | GivenUp]:
    """Like `map_items`, but the results alone, in the order of the items.

    While more than `most` of them, or of the sum of their sizes, wait for that of a slow item, no further
    items are taken in.
    """
    waiting: dict[int, Result | GivenUp] = {}
    following = held = 0

    def has_room() -> bool:
        return held <= most

    with closing(_Crew(partial(_of_numbered, function), workers, limits)) as crew:
        for task in crew.work_through(enumerate(items), batch, has_room):
            for (number, _), result in zip(task.items, task.results, strict=True):
                waiting[number] = result
                held += size(result)
            while following in waiting:
                result = waiting.pop(following)
                held -= size(result)
                following += 1
                yield result


def _of_numbered(function: Callable[[Item], Result], item: tuple[int, Item]) -> Result:
    return function(item[1])


class _Crew:
    """At most so many workers (default: one a core), started when there is something to do for them."""

    def __init__(self, function: Callable[[Any], Any], workers: int | None, limits: Limits | None):
        self._function, self._limits = function, limits
        self._size = workers or worker_count()
        self.capacity = _TASKS * self._size
        self._workers: list[Worker] = []
        self._waiting: deque[Task] = deque()

    @property
    def in_flight(self) -> int:
        """Tasks that are not finished."""
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
        self, items: Iterable[Any], batch: int, has_room: Callable[[], bool] = lambda: True
    ) -> Iterator[Task]:
        """Tasks of the items as they are finished; none is begun while the caller has no room for more."""
        remaining = iter(items)
        in_a_row = 0
        while True:
            while self.in_flight < self.capacity and has_room() and (some := list(islice(remaining, batch))):
                self.submit(Task(some))
            if not self.in_flight:
                return
            for task in self.finish():
                last = task.results[0]
                in_a_row = in_a_row + 1 if isinstance(last, GivenUp) else 0
                if in_a_row == _GIVEN_UP_IN_A_ROW:
                    raise UserError(
                        f"Nothing gets finished: {in_a_row} in a row had to be given up, the last because it "
                        f"{last.reason}; is the memory or the time allowed too little?"
                    )
                yield task

    def finish(self) -> list[Task]:
        """Wait until some worker has finished a task or died; gives the tasks that are finished with it."""
        finished = []
        by_connection = {worker.connection: worker for worker in self._workers}
        for connection in wait(list(by_connection)):
            worker = by_connection[connection]  # type: ignore[index]
            finished.append(worker.receive() or self._bury(worker))
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
        return best if best and len(best.tasks) < _TASKS else None

    def _bury(self, worker: Worker) -> Task | None:
        """Let a dead worker's tasks wait again, but for an item given up, which is then finished."""
        reason = worker.end_reason()
        if self._limits is None or worker.item < 0:
            raise UserError(f"A worker process {reason}; run the same command to continue.")
        self._workers.remove(worker)
        worker.end()
        given_up = None
        if worker.tasks and worker.item:
            task = worker.tasks.popleft()
            if task.alone:
                task.results, given_up = [GivenUp(reason)], task
            else:
                self._waiting.appendleft(Task([task.items.pop(worker.item - 1)], alone=True))
                worker.tasks.extend([task] if task.items else [])
        self._waiting.extend(worker.tasks)
        return given_up
