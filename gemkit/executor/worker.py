"""One worker process: it runs tasks, reports its current item, and is killed when it exceeds its limits."""

import multiprocessing
import os
import pickle
import queue
import resource
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any

from gemkit.executor.base import GivenUp, Limits

#: OpenMP, ONNX Runtime, BLAS, numba and OpenCV read these once, at start: one worker is one thread. glibc
#: reads the last two: returning pixel memory to the system after every image would cost more than decoding.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(128 * 2**20),
}

#: Exit code of a worker that ran out of memory, and the messages of libraries that do not raise MemoryError.
_OUT_OF_MEMORY = 77
_OUT_OF_MEMORY_MESSAGES = ("Insufficient memory", "bad_alloc", "Failed to allocate memory")

_SPAWN = multiprocessing.get_context("spawn")


@dataclass(eq=False)
class Task:
    """Items for one worker, and their results once all are finished; `alone`: the retry of a single item."""

    items: list[Any]
    alone: bool = False
    results: list[Any] = field(default_factory=list)


class Worker:
    """A process and its tasks, the current one first."""

    def __init__(self, function: Callable[[Any], Any], limits: Limits | None):
        self.tasks: deque[Task] = deque()
        self._limits = limits
        self.connection, far_end = _SPAWN.Pipe()
        self._item = _SPAWN.RawValue("q", -1)
        arguments = (function, limits, far_end, self._item)
        self._process = _SPAWN.Process(target=_run_tasks, args=arguments, daemon=True)
        with _environment(), _ctrl_c_blocked(), _without_main(function):
            self._process.start()
        far_end.close()

    @property
    def item(self) -> int:
        """Number, from 1, of the current item in its task; 0 between tasks, -1 before it is ready."""
        return int(self._item.value)

    def give(self, task: Task) -> None:
        self.tasks.append(task)
        with suppress(ConnectionError):  # it died; `receive` will notice
            self.connection.send(task.items)

    def receive(self) -> Task | None:
        """Its first task, finished; None if the worker is dead. Raises the exception of the function."""
        try:
            results = self.connection.recv()
        except (EOFError, OSError):
            return None
        if isinstance(results, Exception):
            raise results
        task = self.tasks.popleft()
        task.results = results
        return task

    def end_reason(self) -> GivenUp:
        """How a dead worker ended."""
        self._process.join(timeout=5)
        code, limits = self._process.exitcode, self._limits
        if limits and code == -signal.SIGALRM:
            return GivenUp("time", f"took longer than {limits.seconds:g} s")
        if limits and code == _OUT_OF_MEMORY:
            return GivenUp("memory", f"needs more than {limits.memory_mb:,} MB")
        if code == -signal.SIGKILL:
            return GivenUp("killed", "was killed (out of memory?)")
        if code is not None and code < 0:
            return GivenUp("crashed", f"crashed ({signal.Signals(-code).name})")
        return GivenUp("crashed", f"crashed (exit code {code})")

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()


@contextmanager
def _environment() -> Iterator[None]:
    """Processes started in this block inherit _ENVIRONMENT."""
    previous = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in previous.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


@contextmanager
def _ctrl_c_blocked() -> Iterator[None]:
    """Processes started in this block ignore Ctrl-C; in this process it is delivered after the block."""
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


@contextmanager
def _without_main(function: Callable[[Any], Any]) -> Iterator[None]:
    """Processes started in this block do not run the main module again, unless the function is defined there.

    So a script may call a stage without `if __name__ == "__main__":`.
    """
    main = sys.modules["__main__"]
    if b"__main__" not in pickle.dumps(function):
        sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _run_tasks(
    function: Callable[[Any], Any], limits: Limits | None, connection: Connection, current: Any
) -> None:
    """Main loop of a worker: receive tasks, report the current item, send back the results or the error."""
    tasks: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(connection, tasks), daemon=True).start()
    if limits:
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (limits.memory_mb * 2**20, hard))
    seconds = limits.seconds if limits else 0  # 0 s disables the timer
    current.value = 0
    while True:
        results: list[Any] = []
        try:
            for number, item in enumerate(tasks.get(), 1):
                current.value = number
                # Its signal ends the process even in C code that never returns to Python.
                signal.setitimer(signal.ITIMER_REAL, seconds)
                results.append(function(item))
            message = pickle.dumps(results, pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            if limits and _is_out_of_memory(error):
                os._exit(_OUT_OF_MEMORY)
            error.add_note(f"In a worker process, at {repr(item)[:200]}:\n{traceback.format_exc()}")
            message = pickle.dumps(error)
        signal.setitimer(signal.ITIMER_REAL, 0)
        current.value = 0
        with suppress(ConnectionError):  # `_receive` also notices, and ends the process
            connection.send_bytes(message)


def _receive(connection: Connection, tasks: queue.SimpleQueue[list[Any]]) -> None:
    try:
        while True:
            tasks.put(connection.recv())
    except (EOFError, OSError):  # the parent has exited
        os._exit(1)


def _is_out_of_memory(error: Exception) -> bool:
    # Of OpenCV's and ONNX Runtime's errors, the message is the only sign.
    return isinstance(error, MemoryError) or any(message in str(error) for message in _OUT_OF_MEMORY_MESSAGES)
