"""Data of one's own: what lies at a path, as a stream of labelled pictures, whatever its format.

A format is one file of this folder with a function that describes what it found as a `Source`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

#: How people call the sides of their data.
_SIDES = {
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
    """A labelled picture: the path of a file, encoded bytes, or an array [H, W, 1, 3 or 4] of uint8.

    `place` says where it is, for a message; `side` is train, validation, test, or None where the data does
    not say.
    """

    place: str
    variety: str
    side: str | None
    content: Path | bytes | np.ndarray


@dataclass
class Source:
    """What a path holds. `files` are all that it is read from; `count` is None where only reading tells.

    `passed_over` counts by its reason what `records` leaves out, those that only reading finds after it.
    """

    kind: str
    files: list[Path]
    records: Callable[[], Iterator[Record]]
    count: int | None = None
    passed_over: Counter[str] = field(default_factory=Counter)


def side_of(name: str) -> str | None:
    """The side that the name of a folder stands for: train, validation, test or None."""
    return _SIDES.get(name.strip().lower())


def side_in(name: str) -> str | None:
    """The side that a word of a file's name stands for, as in `test-00000-of-00001`."""
    found = (side_of(word) for word in re.split(r"[^A-Za-z]+", name))
    return next((side for side in found if side), None)


def tidy(name: object) -> str:
    """A class's name on one line, in characters that can be written anywhere."""
    words = " ".join(str(name).encode("utf-8", "replace").decode().split())
    return "".join(character for character in words if character.isprintable())
