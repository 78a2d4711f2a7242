"""Assign the images of an imported dataset to splits: its own splits, and by hash where it has none."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gemkit.errors import UserError
from gemtrain.tables import SPLITS

#: Shares of validation and test images where the data has no such splits.
VALIDATION, TEST = 0.15, 0.15

#: Strongest first: of copies in several splits, the one in the strongest is kept.
_STRENGTH = ("test", "validation", "train", None)

_NAMED = 5


class LabelledImage(NamedTuple):
    """`split` is the one in the data, or None; copies have the same `pixel_hash`."""

    variety: str
    split: str | None
    pixel_hash: bytes


@dataclass(frozen=True)
class SplitAssignment:
    """`splits[n]` is the split of image n; None if it is left out.

    Left out are further `copies` of an image, so that none is in two splits (`shared` images are in two
    splits of the data), and all `contradicting` images, which are in several classes. `drawn` are the splits
    that were drawn by hash, the smallest hash first.
    """

    splits: list[str | None]
    copies: int
    shared: int
    contradicting: int
    drawn: tuple[str, ...]


def assign(images: Sequence[LabelledImage], source: str) -> SplitAssignment:
    """Assign a split to every image; `source` names the data in a UserError about classes that are too small.

    Without a test split, 15 % of each class's training images are drawn; without a validation split, 15 % of
    each class's remaining training images (if both are drawn: of all). Images are drawn in the order of a
    hash of their pixels, which depends on no other image.
    """
    chosen, copies, shared, contradicting = _one_of_each(images)
    given = {images[number].split for number in chosen} - {None}
    if given and "train" not in given:
        raise UserError(
            f"'{source}' has {' and '.join(sorted(map(str, given)))} images but none for training; "
            "give the path of the parent folder."
        )
    splits: list[str | None] = [None] * len(images)
    by_class: dict[str, list[int]] = defaultdict(list)
    for number in sorted(chosen, key=lambda number: _draw_order(images[number].pixel_hash)):
        by_class[images[number].variety].append(number)
    if len(by_class) < 2:
        raise UserError(
            f"'{source}' has {len(by_class)} class with images; at least 2 are needed, as folders or labels."
        )
    for numbers in by_class.values():
        for number, split in zip(numbers, _draw([images[n].split for n in numbers], given), strict=True):
            splits[number] = split
    _check_classes(by_class, splits, source)
    drawn = tuple(split for split in ("validation", "test") if split not in given)
    return SplitAssignment(splits, copies, shared, contradicting, drawn)


def _one_of_each(images: Sequence[LabelledImage]) -> tuple[list[int], int, int, int]:
    """The images to use; how many are copies, have copies in several splits, are in several classes."""
    same: dict[bytes, list[int]] = defaultdict(list)
    for number, image in enumerate(images):
        same[image.pixel_hash].append(number)
    chosen, copies, shared, contradicting = [], 0, 0, 0
    for numbers in same.values():
        if len({images[number].variety for number in numbers}) > 1:
            contradicting += len(numbers)
            continue
        chosen.append(min(numbers, key=lambda number: (_STRENGTH.index(images[number].split), number)))
        copies += len(numbers) - 1
        shared += len({images[number].split for number in numbers}) > 1
    return chosen, copies, shared, contradicting


def _draw_order(pixel_hash: bytes) -> bytes:
    return hashlib.sha256(b"side " + pixel_hash).digest()


def _draw(given: list[str | None], known: Iterable[str | None]) -> list[str]:
    """The splits of a class's images in drawing order, from those they have in the data."""
    splits = [split or "train" for split in given]
    shares = {"test": TEST, "validation": VALIDATION if "test" in known else VALIDATION / (1 - TEST)}
    for drawn in (split for split in shares if split not in known):
        training = [number for number, split in enumerate(splits) if split == "train"]
        for number in training[: _share(shares[drawn], len(training))]:
            splits[number] = drawn
    return splits


def _share(share: float, count: int) -> int:
    """At least one, if there is any."""
    return min(max(1, round(share * count)), count)


def _check_classes(by_class: dict[str, list[int]], splits: list[str | None], source: str) -> None:
    lacking = []
    for variety, numbers in sorted(by_class.items()):
        found = Counter(splits[number] for number in numbers)
        missing = [split for split in SPLITS if not found[split]]
        if missing:
            lacking.append(f"'{variety}' ({len(numbers)} images, none for {' and '.join(missing)})")
    if lacking:
        more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
        raise UserError(
            f"'{source}': every class needs a training, a validation and a test image; add images to, "
            f"or remove, {', '.join(lacking[:_NAMED])}{more}."
        )
