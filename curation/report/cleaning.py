"""The cleaning section: images kept of each class, and images dropped by each rule, with samples."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from curation.cleaning.clean import BY_HAND
from curation.cleaning.measurements import MEASUREMENTS
from curation.cleaning.reasons import Reason
from curation.cleaning.rule_set import (
    LABEL,
    RuleSet,
    compares_images,
    drops_below,
    meaning,
    rule_names,
)
from curation.report.data import Images, describe_value, notes_on
from curation.report.sampling import commonest, evenly
from curation.report.thumbnails import ICON, Album, Thumbnail
from gemkit.arrays import Bools, Floats
from gemkit.strict_model import StrictModel

_SAMPLES, _NEAR = 8, 4
#: Maximum number of thresholds shown per rule; some rules have a different one for each image.
_MOST_THRESHOLDS = 4


@dataclass(frozen=True)
class ClassCount:
    """A class, one of its images, and its number of distinct images before and after cleaning."""

    name: str
    thumbnail: Thumbnail | None
    found: int
    kept: int


@dataclass(frozen=True)
class Threshold:
    """One threshold of a rule and the images whose `measurement` crossed it.

    Both are None for images dropped without a number. `samples` are ordered from the closest to the clearest
    case; `near` are kept images on the other side.
    """

    value: float | None
    measurement: str | None
    dropped: int
    samples: list[Thumbnail]
    near: list[Thumbnail]


@dataclass(frozen=True)
class RuleReport:
    """One rule. `dropped`: number of its images; `alone`: number of those that no other rule dropped.

    `overruled`: number of images that a person kept; `elsewhere`: the section that shows its images instead.
    """

    name: str
    title: str
    meaning: str
    settings: list[tuple[str, str]]
    active: bool
    dropped: int
    alone: int
    overruled: int
    thresholds: list[Threshold]
    elsewhere: str | None


@dataclass(frozen=True)
class Cleaning:
    """`unlabelled`: number of images without a class, none of which is kept."""

    found: int
    kept: int
    classes: list[ClassCount]
    unlabelled: int
    rules: list[RuleReport]


def describe_cleaning(images: Images, rules: RuleSet, album: Album) -> Cleaning:
    """Count images by class and by rule, and choose the samples."""
    active = rules.settings()
    names = {*rule_names(), *(reason.rule for reason in images.reasons)}
    reports = [_rule(name, active.get(name), images, album) for name in sorted(names)]
    return Cleaning(
        found=len(images),
        kept=int(images.keep.sum()),
        classes=_classes(images, album),
        unlabelled=images.variety.count(None),
        rules=sorted(reports, key=lambda report: (-report.dropped, report.name)),
    )


def _classes(images: Images, album: Album) -> list[ClassCount]:
    found = Counter(variety for variety in images.variety if variety is not None)
    kept: Counter[str] = Counter()
    first: dict[str, int] = {}
    for row in np.flatnonzero(images.keep).tolist():
        variety = images.variety[row]
        if variety is not None:
            kept[variety] += 1
            first.setdefault(variety, row)
    return [
        ClassCount(
            images.variety_name(variety),
            album.thumbnail(first[variety], side=ICON) if variety in first else None,
            found[variety],
            kept[variety],
        )
        for variety in sorted(found, key=lambda variety: (-kept[variety], -found[variety], variety))
    ]


def _rule(name: str, settings: StrictModel | None, images: Images, album: Album) -> RuleReport:
    reasons = [reason for reason in images.reasons if reason.rule == name]
    dropped = [reason for reason in reasons if not images.keep[reason.row]]
    rows = {reason.row for reason in dropped}
    elsewhere = _elsewhere(name)
    return RuleReport(
        name=name,
        title="Decided by a person" if name == BY_HAND else name.replace("_", " ").capitalize(),
        meaning=_meaning(name),
        settings=_settings(settings),
        active=settings is not None or name == BY_HAND,
        dropped=len(rows),
        alone=sum({reason.rule for reason in images.reasons_of[row]} == {name} for row in rows),
        overruled=len({reason.row for reason in reasons} - rows),
        thresholds=[] if elsewhere else _thresholds(dropped, images, album),
        elsewhere=elsewhere,
    )


def _meaning(name: str) -> str:
    if name == BY_HAND:
        return "Dropped by a line in the file of decisions."
    if name not in rule_names():
        return "This rule no longer exists."
    return meaning(name)


def _settings(settings: StrictModel | None) -> list[tuple[str, str]]:
    return [(key, _words(value)) for key, value in (settings.model_dump() if settings else {}).items()]


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _elsewhere(name: str) -> str | None:
    if name == LABEL:
        return "labels"
    return "duplicates" if compares_images(name) else None


class _Limit(NamedTuple):
    """A threshold of a rule and the measurement that crossed it; both are None for images dropped without."""

    rule: str
    threshold: float | None
    measurement: str | None


def _thresholds(reasons: list[Reason], images: Images, album: Album) -> list[Threshold]:
    """The thresholds of a rule with their samples, the most frequent first."""
    found: defaultdict[_Limit, list[Reason]] = defaultdict(list)
    for reason in reasons:
        found[_Limit(reason.rule, reason.threshold, reason.measurement)].append(reason)
    counts = Counter({limit: len(crossed) for limit, crossed in found.items()})
    return [
        _threshold(limit, found[limit], images, album) for limit, _ in commonest(counts)[:_MOST_THRESHOLDS]
    ]


def _threshold(limit: _Limit, reasons: list[Reason], images: Images, album: Album) -> Threshold:
    threshold = limit.threshold
    order = sorted(reasons, key=lambda reason: (abs((reason.value or 0) - (threshold or 0)), reason.row))
    return Threshold(
        threshold,
        limit.measurement,
        len(reasons),
        [_sample(reason, images, album) for reason in evenly(order, _SAMPLES)],
        _near(limit, images, album),
    )


def _sample(reason: Reason, images: Images, album: Album) -> Thumbnail:
    notes = notes_on(reason)
    others = sorted({other.rule for other in images.reasons_of[reason.row]} - {reason.rule})
    if others:
        notes.append(f"also: {', '.join(others).replace('_', ' ')}")
    return album.thumbnail(reason.row, *notes)


def _near(limit: _Limit, images: Images, album: Album) -> list[Thumbnail]:
    """The kept images nearest to the threshold, on the other side of it from the dropped ones."""
    rule, threshold, name = limit
    if name is None or name not in MEASUREMENTS or threshold is None or rule not in rule_names():
        return []
    values = images.floats(name)
    beyond = values > threshold if drops_below(rule, name) else values < threshold
    return [
        album.thumbnail(row, describe_value(values[row], threshold))
        for row in _nearest(values, threshold, images.keep & beyond)
    ]


def _nearest(values: Floats, threshold: float, where: Bools) -> list[int]:
    rows = np.flatnonzero(where)
    order = np.argsort(np.abs(values[rows] - threshold), kind="stable")[:_NEAR]
    nearest: list[int] = rows[order].tolist()
    return nearest
