"""A source of user-supplied data: the labelled images at a path, as a stream, whatever their format.

Each format is a file in this folder, with a function that describes what it found as a `Source`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from gemkit.arrays import Bytes

#: Common names of splits, and the split that each means.
_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
}


class Record(NamedTuple):
    """A labelled image: the path of a file, encoded bytes, or an array [H, W, 1, 3 or 4] of uint8.

    `location` is where it came from, for messages; `split` is train, validation, test, or None if the data
    does not say.
    """

    location: str
    variety: str
    split: str | None
    content: Path | bytes | Bytes


@dataclass
class Source:
    """The content of a path. `files` are all files it is read from; `count` is None if it is known only after
    reading.

    `skipped` counts what `records` leaves out, by reason; what is found only while reading is added then.
    """

    kind: str
    files: list[Path]
    records: Callable[[], Iterator[Record]]
    count: int | None = None
    skipped: Counter[str] = field(default_factory=Counter)


def split_of(name: str) -> str | None:
    """The split that a folder name stands for: train, validation, test or None."""
    return _SPLIT_NAMES.get(name.strip().lower())


def split_in(name: str) -> str | None:
    """The split that a word in a file name stands for, as in `test-00000-of-00001`."""
    found = (split_of(word) for word in re.split(r"[^A-Za-z]+", name))
    return next((split for split in found if split), None)


def tidy(name: object) -> str:
    """The name of a class on one line, printable characters only."""
    words = " ".join(str(name).encode("utf-8", "replace").decode().split())
    return "".join(character for character in words if character.isprintable())
