"""The stage `split`: assign each kept image to a split, whole groups at a time, stable as the store grows."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from curation.datasets.params import SplitParams
from curation.datasets.records import CleanedImage, SplitImage, read_cleaned
from curation.tables import SPLIT, SPLITS
from gemkit.project import Project
from gemkit.tables import write_table

#: A variety with fewer groups cannot be in all three splits.
FEW_GROUPS = len(SPLITS)
#: Splits by precedence: a merged group goes to the first of these that one of its parts was in.
_PRECEDENCE = ("test", "validation", "train")
#: Part of the hashes that order the groups. Another word would assign every group anew.
_SPLIT_PURPOSE, _FOLD_PURPOSE = "side", "fold"


class Count(NamedTuple):
    """Numbers of images and of their groups."""

    images: int
    groups: int


@dataclass(frozen=True)
class SplitSummary:
    """Images and groups by split: of all varieties, and of each.

    `too_few_groups`: the varieties that cannot be in all three splits.
    """

    splits: dict[str, Count]
    varieties: dict[str, dict[str, Count]]
    too_few_groups: list[str]


def split(project: Project, settings: SplitParams = SplitParams()) -> SplitSummary:
    """Assign the kept images of data/clean.parquet to splits in data/split.parquet; returns a summary.

    Raises UserError when no image is kept or a kept one has no variety or group.
    """
    images = assign(read_cleaned(project.clean_table), settings)
    write_table(project.split_table, pa.Table.from_pylist([image._asdict() for image in images], SPLIT))
    return summarise(images)


def assign(images: Sequence[CleanedImage], settings: SplitParams) -> list[SplitImage]:
    """The split and fold of each kept image, sorted by sha256.

    The groups of a variety are ordered by the smallest hash of their split keys: a group's products, or each
    image without a product. The share of images before a group determines its split. New images of a product
    do not move its group, and a merged group takes the place of the first of its parts, so that 1 % of new
    images moves about 1 %.
    """
    labelled = sorted(
        (image.sha256, image.variety, image.group_id)
        for image in images
        if image.keep and image.variety and image.group_id
    )
    counts: dict[str, Counter[str]] = defaultdict(Counter)  # variety → group → images
    for _, variety, group in labelled:
        counts[variety][group] += 1
    split_keys = _split_keys(images, {group for _, _, group in labelled})
    splits, folds = _assign_splits(counts, split_keys, settings), _assign_folds(counts, split_keys, settings)
    return [
        SplitImage(sha256, group, variety, splits[group], folds[group]) for sha256, variety, group in labelled
    ]


def _split_keys(images: Sequence[CleanedImage], groups: set[str]) -> dict[str, set[str]]:
    # Dropped images count too: a rule that drops one more image must not move the rest of its group.
    split_keys: dict[str, set[str]] = defaultdict(set)
    for image in images:
        if image.group_id in groups:
            split_keys[image.group_id].update(image.products or [image.sha256])
    return split_keys


def _position(split_keys: set[str], seed: int, purpose: str) -> float:
    """The smallest hash of the split keys, as a number in [0, 1)."""
    hashes = (hashlib.sha256(f"{seed} {purpose} {key}".encode()).digest()[:8] for key in split_keys)
    return int.from_bytes(min(hashes)) / 2**64


def _shares_before(
    groups: Counter[str], split_keys: dict[str, set[str]], seed: int, purpose: str
) -> list[tuple[str, float]]:
    """The groups in order of position, each with the share of the images in the groups before it."""
    order = sorted(groups, key=lambda group: (_position(split_keys[group], seed, purpose), group))
    total, before, shares = groups.total(), 0, []
    for group in order:
        shares.append((group, before / total))
        before += groups[group]
    return shares


def _assign_splits(
    images: dict[str, Counter[str]], split_keys: dict[str, set[str]], settings: SplitParams
) -> dict[str, str]:
    """The split of each group: per variety first test, then validation (at least one group), then train.

    A group of several varieties takes the split of the highest precedence that any of them gives it.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for groups in images.values():
        validated = False
        for group, before in _shares_before(groups, split_keys, settings.seed, _SPLIT_PURPOSE):
            if before < settings.test:
                name = "test"
            elif before < settings.test + settings.validation or (settings.validation and not validated):
                name, validated = "validation", True
            else:
                name = "train"
            found[group].add(name)
    return {group: min(names, key=_PRECEDENCE.index) for group, names in found.items()}


def _assign_folds(
    images: dict[str, Counter[str]], split_keys: dict[str, set[str]], settings: SplitParams
) -> dict[str, int]:
    """The fold of each group, independent of its split.

    A group of several varieties takes the fold of the variety with the most images in it.
    """
    folds: dict[str, tuple[int, int]] = {}
    for variety in sorted(images):
        groups = images[variety]
        for group, before in _shares_before(groups, split_keys, settings.seed, _FOLD_PURPOSE):
            if groups[group] > folds.get(group, (0, 0))[0]:
                folds[group] = groups[group], int(before * settings.folds)
    return {group: fold for group, (_, fold) in folds.items()}


def summarise(images: Sequence[SplitImage]) -> SplitSummary:
    """Count the images and groups."""
    varieties: defaultdict[str, list[SplitImage]] = defaultdict(list)
    for image in images:
        varieties[image.variety].append(image)
    return SplitSummary(
        splits=_by_split(images),
        varieties={variety: _by_split(varieties[variety]) for variety in sorted(varieties)},
        too_few_groups=[
            variety
            for variety in sorted(varieties)
            if len({image.group_id for image in varieties[variety]}) < FEW_GROUPS
        ],
    )


def _by_split(images: Sequence[SplitImage]) -> dict[str, Count]:
    groups = {name: [image.group_id for image in images if image.split == name] for name in SPLITS}
    return {name: Count(len(found), len(set(found))) for name, found in groups.items()}
