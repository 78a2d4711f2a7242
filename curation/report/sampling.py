"""Deterministic choice of samples, and the sentence shown for a missing section."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def evenly(items: Sequence[T], count: int) -> list[T]:
    """At most `count` of the items in order: the first, the last, and evenly spaced ones between."""
    if len(items) <= count:
        return list(items)
    return [items[index * (len(items) - 1) // (count - 1)] for index in range(count)]


def commonest(counts: Counter[T]) -> list[tuple[T, int]]:
    """The counted items, most frequent first, ties in order of name."""
    return sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))


def absent(paths: Sequence[Path], command: str) -> str:
    """The sentence shown instead of a missing section."""
    names = ", ".join(map(str, paths))
    return f"Not made yet: {names}. Run '{command}', then make this page again"
