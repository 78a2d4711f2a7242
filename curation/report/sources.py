"""The sources section: sites, outcomes of the listed images, the stores' own classes, the files."""

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.report.data import Images
from curation.report.sampling import absent, commonest
from scraper.tables import ImageStatus

_MOST_REASONS = 15


@dataclass(frozen=True)
class Site:
    """One source. `statuses`: image URLs by status; it was fetched from the day `first` to the day `last`."""

    name: str
    urls: int
    statuses: dict[str, int]
    stored: int
    classes: int
    products: int
    first: str | None
    last: str | None


@dataclass(frozen=True)
class StoreClass:
    """A class as a store names it, with its number of distinct images and the varieties they resolved to."""

    name: str
    images: int
    kept: int
    varieties: list[str]


@dataclass(frozen=True)
class Sources:
    """`failures`: (status, reason, image URLs); `sides`: quartiles of the shorter side, pixels."""

    missing: str | None
    sites: list[Site]
    meanings: dict[str, str]
    urls: int
    stored: int
    images: int
    kept: int
    failures: list[tuple[str, str, int]]
    other_failures: int
    classes: list[StoreClass]
    formats: list[tuple[str, int]]
    sides: list[float]


def describe_sources(images: Images) -> Sources:
    """Count the images listed in the raw tables."""
    sites = [_site(name, table) for name, table in images.listed.items()]
    failures = _failures(images)
    width, height = images.floats("width"), images.floats("height")
    shorter = np.minimum(width, height)
    shorter = shorter[~np.isnan(shorter)]
    formats = Counter(name for name in images.measured["format"].to_pylist() if name)
    return Sources(
        missing=_missing(images),
        sites=sites,
        meanings={name: name.description for name in ImageStatus if any(name in s.statuses for s in sites)},
        urls=sum(site.urls for site in sites),
        stored=sum(site.statuses.get("ok", 0) for site in sites),
        images=len(images),
        kept=int(images.keep.sum()),
        failures=failures[:_MOST_REASONS],
        other_failures=sum(count for _, _, count in failures[_MOST_REASONS:]),
        classes=_store_classes(images),
        formats=commonest(formats),
        sides=np.percentile(shorter, [0, 25, 50, 75, 100]).tolist() if len(shorter) else [],
    )


def _missing(images: Images) -> str | None:
    sites = images.missing_sites
    if not sites:
        return None
    tables = [images.project.raw(site) / "images.parquet" for site in sites]
    return absent(tables, f"gemscrape crawl --site {sites[0]}")


def _site(name: str, table: pa.Table) -> Site:
    times = pc.min_max(table["fetched_at"]).as_py()
    first, last = (time.date().isoformat() if time else None for time in (times["min"], times["max"]))
    return Site(
        name=name,
        urls=len(table),
        statuses=dict(commonest(Counter(table["status"].to_pylist()))),
        stored=pc.count_distinct(table["sha256"]).as_py(),
        classes=pc.count_distinct(pc.list_flatten(table["store_classes"])).as_py(),
        products=pc.count_distinct(pc.list_flatten(table["product_ids"])).as_py(),
        first=first,
        last=last,
    )


def _failures(images: Images) -> list[tuple[str, str, int]]:
    counts: Counter[tuple[str, str]] = Counter()
    for table in images.listed.values():
        failed = table.filter(pc.not_equal(table["status"], "ok"))
        reasons = (reason or "" for reason in failed["reason"].to_pylist())
        counts.update(zip(failed["status"].to_pylist(), reasons, strict=True))
    return [(status, reason, count) for (status, reason), count in commonest(counts)]


def _store_classes(images: Images) -> list[StoreClass]:
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for row, names in enumerate(images.store_classes):
        for name in names:
            rows[name].append(row)
    classes = []
    for name, members in rows.items():
        varieties = Counter(images.variety[row] for row in members)
        classes.append(
            StoreClass(
                name,
                len(members),
                int(images.keep[members].sum()),
                [images.variety_name(key) for key, _ in commonest(varieties)],
            )
        )
    return sorted(classes, key=lambda store_class: (-store_class.images, store_class.name))
