"""Batches that are made ready while the GPU is at those before them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial
from typing import Any, TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item")
Batch = TypeVar("Batch", bound=tuple[Tensor, ...])

#: Batches that wait, besides the one that is being learnt from.
_WAITING = 2


@cache
def _stream(device: torch.device) -> Any:
    """One for all of a process: each has freed memory of its own, which others cannot use."""
    return torch.cuda.Stream(device)


def ahead(
    load: Callable[[Item], Batch], items: Iterable[Item], device: torch.device
) -> Iterator[Callable[[], Batch]]:
    """For each item, in order, a call that gives the tensors `load(item)` or raises what it raised.

    For a GPU they are loaded in a thread and a stream of their own, two items ahead. A CPU is busy with the
    network itself: it loads an item when it is asked for.
    """
    if device.type != "cuda":
        yield from (partial(load, item) for item in items)
        return
    stream = _stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))  # what is loaded from may be on its way there

    def loaded(item: Item) -> tuple[Batch, torch.cuda.Event]:
        with torch.cuda.stream(stream):
            return load(item), stream.record_event()

    def taken(loading: Future[tuple[Batch, torch.cuda.Event]]) -> Batch:
        batch, is_there = loading.result()
        current = torch.cuda.current_stream(device)
        current.wait_event(is_there)
        for tensor in batch:
            tensor.record_stream(current)  # else its memory would be given away while it is read
        return batch

    with ThreadPoolExecutor(1, "load") as pool:
        waiting: deque[Future[tuple[Batch, torch.cuda.Event]]] = deque()
        for item in items:
            waiting.append(pool.submit(loaded, item))
            if len(waiting) > _WAITING:
                yield partial(taken, waiting.popleft())
        while waiting:
            yield partial(taken, waiting.popleft())
