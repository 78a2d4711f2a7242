"""Which few of many are shown, always the same for the same tables; what is said where there is nothing."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def evenly(items: Sequence[T], count: int) -> list[T]:
    """At most `count` of the items in their order: the first, the last and evenly between."""
    if len(items) <= count:
        return list(items)
    return [items[place * (len(items) - 1) // (count - 1)] for place in range(count)]


def commonest(counts: Counter[T]) -> list[tuple[T, int]]:
    """The counted items, most frequent first, equals in order of name."""
    return sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))


def absent(paths: Sequence[Path], command: str) -> str:
    """The sentence that stands where a part of the page would be."""
    names = ", ".join(map(str, paths))
    return f"Not there yet: {names}. Run '{command}', then make this page again"
