"""Tables of what became of labelled pictures: shares with 95 % intervals, by label and note."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.curation._labelled import BAD, GENERATED, GOOD, LABELS, Picture
from gemkit.html import markdown_table
from gemkit.stats.confidence_intervals import Estimate, GroupBootstrap, wilson

#: A crop with a lower IoU than this is bad.
BAD_CROP = 0.7
#: A source with a larger share of a label's pictures decides its figure; the label is given without it too.
_LARGE = 0.25
#: ... if at least this many remain.
_REMAIN = 10
#: The rules that are named in a line at most.
_NAMED = 4


class Judged(NamedTuple):
    """A picture and what became of it: the rules on the image that drop it, and its crop.

    `kind` is that of the box drawn by hand, `iou` the crop's with it; None where none was drawn.
    """

    picture: Picture
    rules: frozenset[str]
    kind: str | None = None
    iou: float | None = None

    @property
    def is_dropped(self) -> bool:
        return bool(self.rules)

    @property
    def is_good(self) -> bool:
        return self.picture.label in GOOD

    @property
    def is_badly_cropped(self) -> bool:
        return self.iou is not None and self.iou < BAD_CROP


Rows = list[Judged]


def sections(judged: Rows) -> Iterator[tuple[str, str]]:
    """The title and the table of each part that has pictures."""
    generated = [label for label in LABELS if label.endswith(GENERATED)]
    for title, labels in (("To drop", BAD), ("To keep", GOOD), ("Generated", generated)):
        if any(row.picture.label in labels for row in judged):
            yield title, dropped_table(judged, labels)
    yield "Kept", kept_table(judged)
    if any(row.kind for row in judged):
        yield "Crops", crop_table(judged)


def dropped_table(judged: Rows, labels: Collection[str]) -> str:
    """The share of each label that is dropped, and by which rules."""
    lines = []
    for label in labels:
        for name, rows in parts(judged, label):
            sources = {row.picture.source for row in rows}
            lines.append([name, str(len(rows)), str(len(sources)), *_dropped(rows)])
    return markdown_table(["pictures", "number", "sources", "dropped", "share [95 %]", "rules"], lines)


def kept_table(judged: Rows) -> str:
    """What share of the kept pictures show a single stone, with frames filled by stone and without them."""
    kept = [row for row in judged if not row.is_dropped and not row.picture.label.endswith(GENERATED)]
    sharp = [row for row in kept if row.picture.label != "rough_fill"]
    lines = []
    for name, rows in {"all": kept, "without rough_fill": sharp}.items():
        counts = Counter(row.picture.label for row in rows)
        held = ", ".join(f"{label} {counts[label]}" for label in LABELS if counts[label])
        lines.append([name, str(len(rows)), share(rows, lambda row: row.is_good), held])
    return markdown_table(["kept pictures", "number", "single stones [95 %]", "of them"], lines)


def crop_table(judged: Rows) -> str:
    """The share of bad crops by what is around the stone, and by note."""
    boxed = [row for row in judged if row.kind]
    groups = [("all", boxed)]
    for kind in sorted({row.kind for row in boxed if row.kind}):
        groups.append((kind, [row for row in boxed if row.kind == kind]))
    for label in LABELS:
        groups += [(name, rows) for name, rows in parts(boxed, label) if rows != boxed]
    lines = []
    for name, rows in groups:
        scores = [row.iou for row in rows if row.iou is not None]
        bad = sum(row.is_badly_cropped for row in rows)
        lines.append([
            name, str(len(rows)), f"{np.mean(scores):.3f}", f"{np.median(scores):.3f}",
            str(bad), share(rows, lambda row: row.is_badly_cropped),
        ])  # fmt: skip
    head = ["crops", "number", "mean IoU", "median", f"IoU < {BAD_CROP}", "share [95 %]"]
    return markdown_table(head, lines)


def lost_table(name: str, judged: Rows) -> str:
    """The share of good pictures that is dropped, with all rules and without `several`."""
    fewer = [row._replace(rules=row.rules - {"several"}) for row in judged]
    variants = {"all rules but duplicates": judged, "also without `several`": fewer}
    lines = [[rules, str(len(rows)), *_dropped(rows)] for rules, rows in variants.items()]
    return markdown_table([name, "number", "dropped", "share [95 %]", "rules"], lines)


def _dropped(rows: Rows) -> tuple[str, str, str]:
    """The number and share of dropped pictures, and the rules that drop the most."""
    counts = Counter(rule for row in rows for rule in row.rules)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{rule} {count}" for rule, count in ordered[:_NAMED])
    return str(sum(row.is_dropped for row in rows)), share(rows, lambda row: row.is_dropped), named


def parts(judged: Rows, label: str) -> Iterator[tuple[str, Rows]]:
    """All pictures of a label, then those of each note, then all except the largest source's."""
    rows = [row for row in judged if row.picture.label == label]
    if not rows:
        return
    yield label, rows
    notes = sorted({row.picture.note for row in rows})
    if len(notes) > 1:
        for note in notes:
            yield f"{label}: {note or 'plain'}", [row for row in rows if row.picture.note == note]
    sources = Counter(row.picture.source for row in rows)
    largest, count = sources.most_common(1)[0]
    if count > _LARGE * len(rows) and len(rows) - count >= _REMAIN:
        yield f"{label} without {largest}", [row for row in rows if row.picture.source != largest]


def share(rows: Rows, is_hit: Callable[[Judged], bool]) -> str:
    """The share of hits with its interval; "none" without pictures."""
    if not rows:
        return "none"
    return str(estimate([is_hit(row) for row in rows], [row.picture.source for row in rows]))


def estimate(hits: Sequence[bool], sources: Sequence[str]) -> Estimate:
    """The share of hits. Its interval is the bootstrap's over sources.

    Where each source has the same share, or there is one source, that has no width: Wilson's is given.
    """
    value = float(np.mean(hits))
    drawn = GroupBootstrap(sources).mean(np.array(hits, float))
    if drawn.high - drawn.low < 1e-6:
        drawn = wilson(value, Counter(sources).values())
    return Estimate(value, drawn)
