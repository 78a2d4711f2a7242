"""The cleaning section: images kept of each class, and images dropped by each rule, with samples."""

import importlib
import inspect
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.cleaning.clean import BY_HAND
from curation.cleaning.rules import Rule, rule_names
from curation.report.data import NUMERIC_COLUMNS, Images, Reason, describe_value
from curation.report.duplicates import other_image
from curation.report.sampling import commonest, evenly
from curation.report.thumbnails import ICON, Album, Thumbnail

_SAMPLES, _NEAR = 8, 4
#: Maximum number of thresholds shown per rule; some rules have a different one for each image.
_MOST_THRESHOLDS = 4
#: Minimum number of values from which the rule's measurement is inferred.
_ENOUGH_VALUES = 3


@dataclass(frozen=True)
class ClassCount:
    """A class, one of its images, and its number of distinct images before and after cleaning."""

    name: str
    thumbnail: Thumbnail | None
    found: int
    kept: int


@dataclass(frozen=True)
class Threshold:
    """One threshold of a rule and the images that crossed it; None for images dropped without a number.

    `samples` are ordered from the closest to the clearest case; `near` are kept images on the other side.
    """

    value: float | None
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


def describe_cleaning(images: Images, rules: list[Rule], album: Album) -> Cleaning:
    """Count images by class and by rule, and choose the samples."""
    active = {rule.name: rule for rule in rules}
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


def _rule(name: str, rule: Rule | None, images: Images, album: Album) -> RuleReport:
    reasons = [reason for reason in images.reasons if reason.rule == name]
    dropped = [reason for reason in reasons if not images.keep[reason.row]]
    rows = {reason.row for reason in dropped}
    elsewhere = _elsewhere(name, dropped, images)
    return RuleReport(
        name=name,
        title="Decided by a person" if name == BY_HAND else name.replace("_", " ").capitalize(),
        meaning=_meaning(name),
        settings=_settings(rule),
        active=rule is not None or name == BY_HAND,
        dropped=len(rows),
        alone=sum({reason.rule for reason in images.reasons_of[row]} == {name} for row in rows),
        overruled=len({reason.row for reason in reasons} - rows),
        thresholds=[] if elsewhere else _thresholds(dropped, images, album),
        elsewhere=elsewhere,
    )


def _meaning(name: str) -> str:
    """The first paragraph of the rule's docstring."""
    if name == BY_HAND:
        return "Dropped by a line in the file of decisions."
    if name not in rule_names():
        return "This rule no longer exists."
    documentation = inspect.getdoc(importlib.import_module(f"curation.cleaning.rules.{name}")) or ""
    return " ".join(documentation.split("\n\n")[0].split())


def _settings(rule: Rule | None) -> list[tuple[str, str]]:
    return [(key, _words(value)) for key, value in (rule.settings.model_dump() if rule else {}).items()]


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _elsewhere(name: str, reasons: list[Reason], images: Images) -> str | None:
    if name == "label":
        return "labels"
    return "duplicates" if any(other_image(reason, images) is not None for reason in reasons) else None


def _thresholds(reasons: list[Reason], images: Images, album: Album) -> list[Threshold]:
    """The thresholds of a rule with their samples, the most frequent first."""
    found: defaultdict[float | None, list[Reason]] = defaultdict(list)
    for reason in reasons:
        found[reason.threshold].append(reason)
    return [
        _threshold(threshold, found[threshold], images, album)
        for threshold, _ in commonest(Counter(reason.threshold for reason in reasons))[:_MOST_THRESHOLDS]
    ]


def _threshold(threshold: float | None, reasons: list[Reason], images: Images, album: Album) -> Threshold:
    values = {reason.row: reason.value for reason in reasons if reason.value is not None}
    near = []
    if threshold is not None and (measurement := _measurement(values, images)) is not None:
        near = [
            album.thumbnail(row, describe_value(measurement[row], threshold))
            for row in _nearest(measurement, threshold, values, images.keep)
        ]
    order = sorted(reasons, key=lambda reason: (abs((reason.value or 0) - (threshold or 0)), reason.row))
    return Threshold(
        threshold, len(reasons), [_sample(reason, images, album) for reason in evenly(order, _SAMPLES)], near
    )


def _sample(reason: Reason, images: Images, album: Album) -> Thumbnail:
    notes = reason.notes
    others = sorted({other.rule for other in images.reasons_of[reason.row]} - {reason.rule})
    if others:
        notes.append(f"also: {', '.join(others).replace('_', ' ')}")
    return album.thumbnail(reason.row, *notes)


def _nearest(
    measurement: np.ndarray, threshold: float, values: dict[int, float], keep: np.ndarray
) -> list[int]:
    """The kept images nearest to the threshold, on the other side of it from the dropped values."""
    above = np.mean(list(values.values())) > threshold
    rows = np.flatnonzero(keep & (measurement < threshold if above else measurement > threshold))
    distance = np.abs(measurement[rows] - threshold)
    return rows[np.argsort(distance, kind="stable")][:_NEAR].tolist()


def _measurement(values: dict[int, float], images: Images) -> np.ndarray | None:
    """The measurement that a rule uses: the one that equals its value in every image it found."""
    if len(values) < _ENOUGH_VALUES:
        return None
    width, height = images.floats("width"), images.floats("height")
    sides = np.minimum(width, height), np.maximum(width, height) / np.minimum(width, height)
    measured = (images.floats(name) for name in NUMERIC_COLUMNS)
    rows, seen = list(values), list(values.values())
    return next((numbers for numbers in (*sides, *measured) if np.array_equal(numbers[rows], seen)), None)
