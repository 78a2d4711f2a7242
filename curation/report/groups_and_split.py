"""The sections on groups of images that belong together, and on their splits."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np

from curation.report.data import Images
from curation.report.sampling import absent, evenly
from curation.report.thumbnails import Album, Thumbnail
from curation.tables import SPLIT, SPLITS
from gemkit.tables import read_table

#: Bins of group sizes, from … to.
_BINS = ((1, 1), (2, 2), (3, 3), (4, 5), (6, 10), (11, 20), (21, None))
_LARGEST, _MEMBERS = 3, 7


@dataclass(frozen=True)
class Group:
    """Some members of a group, and the number of members not shown."""

    members: list[Thumbnail]
    more: int


@dataclass(frozen=True)
class Groups:
    """`sizes`: (group size as text, groups, images). Kept images without a product: `stock`, listed by too
    many products, and `unlisted`, listed by none.
    """

    count: int
    images: int
    stock: int
    unlisted: int
    sizes: list[tuple[str, int, int]]
    largest: list[Group]


@dataclass(frozen=True)
class ClassSplit:
    """Images of a class by split, and its number of groups."""

    name: str
    images: dict[str, int]
    groups: int

    @property
    def total(self) -> int:
        """Images in all splits."""
        return sum(self.images.values())


@dataclass(frozen=True)
class Split:
    """`leaking_groups`: number of groups in more than one split, which must be 0."""

    missing: str | None
    total: int = 0
    images: dict[str, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    leaking_groups: int = 0
    folds: list[tuple[int, int]] = field(default_factory=list)
    classes: list[ClassSplit] = field(default_factory=list)


def describe_groups(images: Images, album: Album) -> Groups:
    """Count the groups of the kept images, and choose the largest to show."""
    members: defaultdict[str, list[int]] = defaultdict(list)
    for row in np.flatnonzero(images.keep).tolist():
        members[images.group_id[row]].append(row)
    sizes = Counter(len(rows) for rows in members.values())
    bins = []
    for low, high in _BINS:
        within = {size: count for size, count in sizes.items() if low <= size <= (high or size)}
        words = str(low) if low == high else f"{low} to {high}" if high else f"{low} or more"
        bins.append((words, sum(within.values()), sum(size * count for size, count in within.items())))
    alone = [row for row in np.flatnonzero(images.keep).tolist() if not images.products[row]]
    stock = sum(images.sha256[row] in images.listed_by_product for row in alone)
    largest = sorted(members, key=lambda group: (-len(members[group]), group))[:_LARGEST]
    return Groups(
        count=len(members),
        images=int(images.keep.sum()),
        stock=stock,
        unlisted=len(alone) - stock,
        sizes=bins,
        largest=[_group(members[group], album) for group in largest if len(members[group]) > 1],
    )


def _group(rows: list[int], album: Album) -> Group:
    shown = evenly(rows, _MEMBERS)
    return Group([album.thumbnail(row) for row in shown], len(rows) - len(shown))


def describe_split(images: Images) -> Split:
    """Count images and groups in each split."""
    table = images.project.split_table
    if not table.exists():
        return Split(absent([table], "gemcurate split"))
    columns = ["group_id", "variety", "split", "fold"]
    rows = list(zip(*(read_table(table, SPLIT, columns)[c].to_pylist() for c in columns), strict=True))
    splits: defaultdict[str, set[str]] = defaultdict(set)
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for group, variety, split, _ in rows:
        splits[group].add(split)
        counts[variety][split] += 1
        groups[variety].add(group)
    return Split(
        missing=None,
        total=len(rows),
        images={name: sum(count[name] for count in counts.values()) for name in SPLITS},
        groups={name: sum(name in found for found in splits.values()) for name in SPLITS},
        leaking_groups=sum(len(found) > 1 for found in splits.values()),
        folds=sorted(Counter(fold for *_, fold in rows).items()),
        classes=[
            ClassSplit(
                images.variety_name(variety),
                {name: counts[variety][name] for name in SPLITS},
                len(groups[variety]),
            )
            for variety in sorted(counts, key=lambda variety: (-counts[variety].total(), variety))
        ],
    )
