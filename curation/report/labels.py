"""The labels section: images listed under several class names, and the labels these resolved to."""

from collections import Counter
from dataclasses import dataclass

from curation.cleaning.rule_set import LABEL
from curation.report.data import Images
from curation.report.sampling import commonest, evenly
from curation.report.thumbnails import Album, Thumbnail

_MOST, _SAMPLES = 20, 8


@dataclass(frozen=True)
class Labels:
    """`several`: images under more than one class name; `conflicts`, `unknown`: images without a label."""

    several: int
    resolved: int
    together: list[tuple[str, str, int]]
    conflicts: list[tuple[str, int]]
    unknown: list[tuple[str, int]]
    samples: list[Thumbnail]


def describe_labels(images: Images, album: Album) -> Labels:
    """Count the labels that class names resolved to, and choose images with conflicting names."""
    problems = [reason for reason in images.reasons if reason.rule == LABEL]
    conflicting = [reason for reason in problems if reason.kind == "conflict"]
    several = [row for row, names in enumerate(images.store_classes) if len(names) > 1]
    resolved = [row for row in several if images.variety[row] is not None]
    together = Counter((" + ".join(sorted(images.store_classes[row])), images.name(row)) for row in resolved)
    unknown = [reason for reason in problems if reason.kind == "unknown"]
    return Labels(
        several=len(several),
        resolved=len(resolved),
        together=[(*names, count) for names, count in commonest(together)[:_MOST]],
        conflicts=commonest(Counter(reason.text for reason in conflicting))[:_MOST],
        unknown=commonest(Counter(reason.text for reason in unknown))[:_MOST],
        samples=[
            album.thumbnail(reason.row, "listed as " + " + ".join(sorted(images.store_classes[reason.row])))
            for reason in evenly(conflicting, _SAMPLES)
        ],
    )
