"""The duplicates section: the dropped copies of each kept image."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from curation.cleaning.reasons import Reason
from curation.report.data import Images, notes_on
from curation.report.sampling import evenly
from curation.report.thumbnails import Album, Thumbnail

_LARGEST, _LEAST_SIMILAR, _COPIES = 4, 6, 6


@dataclass(frozen=True)
class Cluster:
    """A kept image, some of its copies, and the number of copies not shown."""

    best: Thumbnail
    copies: list[Thumbnail]
    more: int


@dataclass(frozen=True)
class Duplicates:
    """`sizes`: (images per cluster, clusters); `by_rule`: number of copies found by each rule."""

    clusters: int
    copies: int
    sizes: list[tuple[int, int]]
    by_rule: list[tuple[str, int]]
    across_sites: int
    across_classes: int
    samples: list[Cluster]


def describe_duplicates(images: Images, album: Album) -> Duplicates:
    """Cluster the copies around the kept image, and choose clusters to show."""
    clusters = _clusters(images)
    order = sorted(clusters, key=lambda best: (-len(clusters[best]), best))
    largest, others = order[:_LARGEST], order[_LARGEST:]
    # People should check the least similar copies, where a wrong pair is most likely.
    others.sort(key=lambda best: (-max(reason.value or 0 for reason in clusters[best]), best))
    shown = [*largest, *others[:_LEAST_SIMILAR]]
    sizes = Counter(len(copies) + 1 for copies in clusters.values())
    rules = Counter(reason.rule for copies in clusters.values() for reason in copies)
    return Duplicates(
        clusters=len(clusters),
        copies=sum(len(copies) for copies in clusters.values()),
        sizes=sorted(sizes.items()),
        by_rule=sorted(rules.items()),
        across_sites=_across(clusters, lambda row: images.site[row]),
        across_classes=_across(clusters, lambda row: frozenset(images.store_classes[row])),
        samples=[_cluster(best, clusters[best], images, album) for best in shown],
    )


def _clusters(images: Images) -> dict[int, list[Reason]]:
    """The reasons of the copies by the image that is kept instead."""
    copies: dict[int, tuple[int, Reason]] = {}
    for reason in images.reasons:
        other = images.row_of.get(reason.other_sha256) if reason.other_sha256 else None
        if other is not None and not images.keep[reason.row]:
            copies.setdefault(reason.row, (other, reason))
    clusters: defaultdict[int, list[Reason]] = defaultdict(list)
    for row, (best, reason) in copies.items():
        seen = {row}
        while best in copies and best not in seen:  # a copy of what is itself a copy
            seen.add(best)
            best = copies[best][0]
        clusters[best].append(reason)
    return dict(clusters)


def _across(clusters: dict[int, list[Reason]], key: Callable[[int], object]) -> int:
    """How many clusters have members with different keys."""
    return sum(any(key(reason.row) != key(best) for reason in copies) for best, copies in clusters.items())


def _cluster(best: int, copies: list[Reason], images: Images, album: Album) -> Cluster:
    shown = evenly(sorted(copies, key=lambda reason: (reason.value or 0, reason.row)), _COPIES)
    others = ", ".join(sorted({reason.rule for reason in images.reasons_of.get(best, [])}))
    return Cluster(
        album.thumbnail(best, *_file(best, images), *([f"itself dropped: {others}"] if others else [])),
        [album.thumbnail(reason.row, *_file(reason.row, images), *notes_on(reason)) for reason in shown],
        len(copies) - len(shown),
    )


def _file(row: int, images: Images) -> list[str]:
    width, height, size = (images.measured[name][row].as_py() for name in ("width", "height", "bytes"))
    described = images.measured["format"][row].as_py() or "unmeasured"
    if width and height:
        described += f", {width}×{height}"
    if size:
        described += f", {size / 1000:,.0f}\N{NO-BREAK SPACE}kB"
    return [described, "listed as " + (" + ".join(sorted(images.store_classes[row])) or "nothing")]
