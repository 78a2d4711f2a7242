"""CPU work over shards in a process pool: one worker a core, results streamed, memory bounded."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

Shard = TypeVar("Shard")
Result = TypeVar("Result")

#: Read once at import by OpenMP, ONNX Runtime, numba and BLAS: one worker is one thread.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def worker_count() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_shards(
    function: Callable[[Shard], Result], shards: Iterable[Shard], workers: int | None = None
) -> Iterator[Result]:
    """`function` of each shard, in order, at most two shards a worker in flight.

    `function` must be pure and importable. Workers leave Ctrl-C to the parent and end with it, even when it
    is killed.
    """
    workers = workers or worker_count()
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start_worker)
    previous = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        in_flight: deque[Future[Result]] = deque()
        for shard in shards:
            in_flight.append(pool.submit(function, shard))
            if len(in_flight) >= 2 * workers:
                yield in_flight.popleft().result()
        while in_flight:
            yield in_flight.popleft().result()
        pool.shutdown()
    finally:
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for name, value in previous.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
