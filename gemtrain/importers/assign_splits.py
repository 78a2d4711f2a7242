"""Which side each picture of data of one's own is on: the sides it came with, and by hash what is missing."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gemkit.errors import UserError
from gemtrain.tables import SPLITS

#: Shares of validation and test pictures where the data does not say which those are.
VALIDATION, TEST = 0.15, 0.15

#: Strongest first: of copies on several sides the one on the strongest is kept.
_STRENGTH = ("test", "validation", "train", None)

_NAMED = 5


class Picture(NamedTuple):
    """`side` is the one that the data says, or None; copies have the same `pixel_hash`."""

    variety: str
    side: str | None
    pixel_hash: bytes


@dataclass(frozen=True)
class Sides:
    """`sides[n]` of picture n; None where it is left out.

    Left out are further `copies` of a picture, so that none is on two sides (the data has `shared` of the
    pictures on two of its own sides), and all `contradicting` ones, pictures that are in several classes.
    `drawn` are the sides that were drawn by hash, smallest first.
    """

    sides: list[str | None]
    copies: int
    shared: int
    contradicting: int
    drawn: tuple[str, ...]


def assign(pictures: Sequence[Picture], source: str) -> Sides:
    """A side for every picture; `source` names the data in a UserError about classes that are too small.

    Where the data brings no test side, 15 % of each class's training pictures are drawn; where it brings no
    validation side, 15 % of those of the class that are left for training (with both drawn: of all). The
    order of drawing is that of a hash of the pixels: it depends on no other picture.
    """
    chosen, copies, shared, contradicting = _one_of_each(pictures)
    brought = {pictures[number].side for number in chosen} - {None}
    if brought and "train" not in brought:
        raise UserError(
            f"'{source}' has {' and '.join(sorted(map(str, brought)))} images but none for training; "
            "name the folder above."
        )
    sides: list[str | None] = [None] * len(pictures)
    by_class: dict[str, list[int]] = defaultdict(list)
    for number in sorted(chosen, key=lambda number: _place(pictures[number].pixel_hash)):
        by_class[pictures[number].variety].append(number)
    if len(by_class) < 2:
        raise UserError(
            f"'{source}' has {len(by_class)} class with images; at least 2 are needed, by folder or label."
        )
    for numbers in by_class.values():
        for number, side in zip(numbers, _draw([pictures[n].side for n in numbers], brought), strict=True):
            sides[number] = side
    _check_classes(by_class, sides, source)
    drawn = tuple(side for side in ("validation", "test") if side not in brought)
    return Sides(sides, copies, shared, contradicting, drawn)


def _one_of_each(pictures: Sequence[Picture]) -> tuple[list[int], int, int, int]:
    """The pictures to use, and how many are copies, have copies on several sides, are in several classes."""
    same: dict[bytes, list[int]] = defaultdict(list)
    for number, picture in enumerate(pictures):
        same[picture.pixel_hash].append(number)
    chosen, copies, shared, contradicting = [], 0, 0, 0
    for numbers in same.values():
        if len({pictures[number].variety for number in numbers}) > 1:
            contradicting += len(numbers)
            continue
        chosen.append(min(numbers, key=lambda number: (_STRENGTH.index(pictures[number].side), number)))
        copies += len(numbers) - 1
        shared += len({pictures[number].side for number in numbers}) > 1
    return chosen, copies, shared, contradicting


def _place(pixel_hash: bytes) -> bytes:
    return hashlib.sha256(b"side " + pixel_hash).digest()


def _draw(brought: list[str | None], known: Iterable[str | None]) -> list[str]:
    """The sides of a class's pictures, in the order in which they are drawn, for those they came with."""
    sides = [side or "train" for side in brought]
    shares = {"test": TEST, "validation": VALIDATION if "test" in known else VALIDATION / (1 - TEST)}
    for drawn in (side for side in shares if side not in known):
        training = [number for number, side in enumerate(sides) if side == "train"]
        for number in training[: _share(shares[drawn], len(training))]:
            sides[number] = drawn
    return sides


def _share(share: float, count: int) -> int:
    """At least one, if there is any."""
    return min(max(1, round(share * count)), count)


def _check_classes(by_class: dict[str, list[int]], sides: list[str | None], source: str) -> None:
    lacking = []
    for variety, numbers in sorted(by_class.items()):
        found = Counter(sides[number] for number in numbers)
        missing = [side for side in SPLITS if not found[side]]
        if missing:
            lacking.append(f"'{variety}' ({len(numbers)} images, none for {' and '.join(missing)})")
    if lacking:
        more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
        raise UserError(
            f"'{source}': every class needs a training, a validation and a test image; give more images to, "
            f"or leave out, {', '.join(lacking[:_NAMED])}{more}."
        )
