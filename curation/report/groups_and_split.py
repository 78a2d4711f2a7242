"""Groups of photos that belong together, and the sides they were put on."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np

from curation.datasets.split import SPLIT_TABLE
from curation.report.data import Images
from curation.report.sampling import absent, evenly
from curation.report.thumbnails import Album, Photo
from curation.tables import SPLIT, SPLITS
from gemkit.tables import read_table

#: Group sizes that are counted together, from … to.
_BINS = ((1, 1), (2, 2), (3, 3), (4, 5), (6, 10), (11, 20), (21, None))
_LARGEST, _MEMBERS = 3, 7


@dataclass(frozen=True)
class Group:
    """Some members of a group, and how many more there are."""

    members: list[Photo]
    more: int


@dataclass(frozen=True)
class Groups:
    """`sizes`: (size in words, groups, images); kept photos that are alone: `stock`, listed by too many
    products, and `loose`, by none.
    """

    count: int
    images: int
    stock: int
    loose: int
    sizes: list[tuple[str, int, int]]
    largest: list[Group]


@dataclass(frozen=True)
class ClassSplit:
    """Images of a class by side, and its groups."""

    name: str
    images: dict[str, int]
    groups: int

    @property
    def total(self) -> int:
        """Images on all sides."""
        return sum(self.images.values())


@dataclass(frozen=True)
class Split:
    """`astride`: groups that lie on more than one side, of which there must be none."""

    missing: str | None
    total: int = 0
    images: dict[str, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    astride: int = 0
    folds: list[tuple[int, int]] = field(default_factory=list)
    classes: list[ClassSplit] = field(default_factory=list)


def describe_groups(images: Images, album: Album) -> Groups:
    """Count the groups of the images that stay, and show the largest."""
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
    stock = sum(images.sha256[row] in images.sold for row in alone)
    largest = sorted(members, key=lambda group: (-len(members[group]), group))[:_LARGEST]
    return Groups(
        count=len(members),
        images=int(images.keep.sum()),
        stock=stock,
        loose=len(alone) - stock,
        sizes=bins,
        largest=[_group(members[group], album) for group in largest if len(members[group]) > 1],
    )


def _group(rows: list[int], album: Album) -> Group:
    shown = evenly(rows, _MEMBERS)
    return Group([album.photo(row) for row in shown], len(rows) - len(shown))


def describe_split(images: Images) -> Split:
    """Count images and groups on each side."""
    if not SPLIT_TABLE.exists():
        return Split(absent([SPLIT_TABLE], "gemcurate split"))
    columns = ["group_id", "variety", "split", "fold"]
    rows = list(zip(*(read_table(SPLIT_TABLE, SPLIT, columns)[c].to_pylist() for c in columns), strict=True))
    sides: defaultdict[str, set[str]] = defaultdict(set)
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for group, variety, side, _ in rows:
        sides[group].add(side)
        counts[variety][side] += 1
        groups[variety].add(group)
    return Split(
        missing=None,
        total=len(rows),
        images={side: sum(count[side] for count in counts.values()) for side in SPLITS},
        groups={side: sum(side in found for found in sides.values()) for side in SPLITS},
        astride=sum(len(found) > 1 for found in sides.values()),
        folds=sorted(Counter(fold for *_, fold in rows).items()),
        classes=[
            ClassSplit(
                images.variety_name(variety),
                {side: counts[variety][side] for side in SPLITS},
                len(groups[variety]),
            )
            for variety in sorted(counts, key=lambda variety: (-counts[variety].total(), variety))
        ],
    )
