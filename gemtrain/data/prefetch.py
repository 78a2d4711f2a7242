"""Prefetch batches to the GPU."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial
from typing import Any, TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item")
Batch = TypeVar("Batch", bound=tuple[Tensor, ...])

#: Batches prefetched ahead of the one in use.
_PREFETCHED = 2


@cache
def _stream(device: torch.device) -> Any:
    """One stream per process and device: a stream cannot reuse memory that another one freed."""
    return torch.cuda.Stream(device)


def prefetch(
    load: Callable[[Item], Batch], items: Iterable[Item], device: torch.device
) -> Iterator[Callable[[], Batch]]:
    """For each item, in order, a call that returns the tensors of `load(item)` or raises its exception.

    For a GPU, items are loaded two ahead, in a separate thread and stream. A CPU is busy with the network
    itself: it loads an item when the call is made.
    """
    if device.type != "cuda":
        yield from (partial(load, item) for item in items)
        return
    stream = _stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))  # the source may still be on its way to the device

    def load_item(item: Item) -> tuple[Batch, torch.cuda.Event]:
        with torch.cuda.stream(stream):
            return load(item), stream.record_event()

    def await_batch(loading: Future[tuple[Batch, torch.cuda.Event]]) -> Batch:
        batch, is_loaded = loading.result()
        current = torch.cuda.current_stream(device)
        current.wait_event(is_loaded)
        for tensor in batch:
            tensor.record_stream(current)  # else its memory could be reused while it is read
        return batch

    with ThreadPoolExecutor(1, "load") as pool:
        waiting: deque[Future[tuple[Batch, torch.cuda.Event]]] = deque()
        for item in items:
            waiting.append(pool.submit(load_item, item))
            if len(waiting) > _PREFETCHED:
                yield partial(await_batch, waiting.popleft())
        while waiting:
            yield partial(await_batch, waiting.popleft())
