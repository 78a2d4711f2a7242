"""What cleaning left of each class, and what each rule dropped, with samples."""

import importlib
import inspect
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.cleaning.clean import BY_HAND
from curation.cleaning.rules import Rule, rule_names
from curation.report.data import NUMBERS, Images, Reason, in_numbers
from curation.report.duplicates import other_image
from curation.report.sampling import commonest, evenly
from curation.report.thumbnails import ICON, Album, Photo

_SAMPLES, _NEAR = 8, 4
#: A rule with more thresholds has one of its own for each image, and shows some.
_MOST_SIGNS = 4
#: So many values tell which measurement a rule looks at.
_ENOUGH_VALUES = 3


@dataclass(frozen=True)
class ClassCount:
    """A class, one photo of it, its distinct images before cleaning and after."""

    name: str
    photo: Photo | None
    found: int
    kept: int


@dataclass(frozen=True)
class Sign:
    """One threshold of a rule and the images that crossed it, or those that it dropped without a number.

    `samples` go from the closest call to the clearest case, `near` are kept images just on the other side.
    """

    threshold: float | None
    dropped: int
    samples: list[Photo]
    near: list[Photo]


@dataclass(frozen=True)
class RuleReport:
    """One rule: `dropped` counts its images, `alone` those that no other rule dropped.

    `overruled` counts images that a person kept; `elsewhere` is the section that shows its images instead.
    """

    name: str
    title: str
    meaning: str
    settings: list[tuple[str, str]]
    active: bool
    dropped: int
    alone: int
    overruled: int
    signs: list[Sign]
    elsewhere: str | None


@dataclass(frozen=True)
class Cleaning:
    """`unlabelled`: images without a class, none of which is kept."""

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
            album.photo(first[variety], side=ICON) if variety in first else None,
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
        signs=[] if elsewhere else _signs(dropped, images, album),
        elsewhere=elsewhere,
    )


def _meaning(name: str) -> str:
    """The first paragraph of the rule's own documentation."""
    if name == BY_HAND:
        return "A line in the file of decisions says so."
    if name not in rule_names():
        return "There is no such rule any more."
    documentation = inspect.getdoc(importlib.import_module(f"curation.cleaning.rules.{name}")) or ""
    return " ".join(documentation.split("\n\n")[0].split())


def _settings(rule: Rule | None) -> list[tuple[str, str]]:
    return [(key, _words(value)) for key, value in (rule.settings.model_dump() if rule else {}).items()]


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _elsewhere(name: str, reasons: list[Reason], images: Images) -> str | None:
    if name == "label":
        return "labels"
    return "copies" if any(other_image(reason, images) is not None for reason in reasons) else None


def _signs(reasons: list[Reason], images: Images, album: Album) -> list[Sign]:
    """The thresholds of a rule with their samples, the commonest first."""
    found: defaultdict[float | None, list[Reason]] = defaultdict(list)
    for reason in reasons:
        found[reason.threshold].append(reason)
    return [
        _sign(threshold, found[threshold], images, album)
        for threshold, _ in commonest(Counter(reason.threshold for reason in reasons))[:_MOST_SIGNS]
    ]


def _sign(threshold: float | None, reasons: list[Reason], images: Images, album: Album) -> Sign:
    values = {reason.row: reason.value for reason in reasons if reason.value is not None}
    near = []
    if threshold is not None and (measurement := _measurement(values, images)) is not None:
        near = [
            album.photo(row, in_numbers(measurement[row], threshold))
            for row in _nearest(measurement, threshold, values, images.keep)
        ]
    order = sorted(reasons, key=lambda reason: (abs((reason.value or 0) - (threshold or 0)), reason.row))
    return Sign(
        threshold, len(reasons), [_sample(reason, images, album) for reason in evenly(order, _SAMPLES)], near
    )


def _sample(reason: Reason, images: Images, album: Album) -> Photo:
    notes = reason.words
    others = sorted({other.rule for other in images.reasons_of[reason.row]} - {reason.rule})
    if others:
        notes.append(f"also: {', '.join(others).replace('_', ' ')}")
    return album.photo(reason.row, *notes)


def _nearest(
    measurement: np.ndarray, threshold: float, values: dict[int, float], keep: np.ndarray
) -> list[int]:
    """The kept images nearest to the threshold, on the other side of it than the values that were dropped."""
    above = np.mean(list(values.values())) > threshold
    rows = np.flatnonzero(keep & (measurement < threshold if above else measurement > threshold))
    distance = np.abs(measurement[rows] - threshold)
    return rows[np.argsort(distance, kind="stable")][:_NEAR].tolist()


def _measurement(values: dict[int, float], images: Images) -> np.ndarray | None:
    """The measurement that a rule looks at: the one that is its value in every image it found."""
    if len(values) < _ENOUGH_VALUES:
        return None
    width, height = images.numbers("width"), images.numbers("height")
    sides = np.minimum(width, height), np.maximum(width, height) / np.minimum(width, height)
    measured = (images.numbers(name) for name in NUMBERS)
    rows, seen = list(values), list(values.values())
    return next((numbers for numbers in (*sides, *measured) if np.array_equal(numbers[rows], seen)), None)
