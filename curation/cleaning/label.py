"""Images whose class names are unknown, or name two mutually exclusive varieties.

An image and its copies have one label: a person's, or else the one that all their class names resolve to.
"""

from collections.abc import Iterator, Mapping, Sequence

from curation.cleaning.decisions import Decision
from curation.cleaning.duplicates import Duplicates
from curation.cleaning.image_table import ImageTable
from curation.cleaning.reasons import Finding
from curation.taxonomy.taxonomy import Label, Taxonomy
from gemkit.strict_model import StrictModel


class Settings(StrictModel):
    """The rule has no settings."""


def resolve_labels(
    images: ImageTable, duplicates: Duplicates, taxonomy: Taxonomy, decided: Mapping[int, Decision]
) -> list[Label]:
    """The label of each image; `decided` holds people's decisions by row."""
    labels = [Label(None)] * len(images)
    known: dict[frozenset[str], Label] = {}
    for rows in duplicates.clusters:
        by_hand = next(
            (decided[row].variety for row in rows if row in decided and decided[row].variety), None
        )
        names = frozenset().union(*(images.classes[row] for row in rows))
        if by_hand is not None:
            label = taxonomy.label(by_hand)
        elif names in known:
            label = known[names]
        else:
            label = known[names] = taxonomy.resolve(names)
        for row in rows:
            labels[row] = label
    return labels


def find_problems(labels: Sequence[Label]) -> Iterator[Finding]:
    """A finding for each image whose label has a problem."""
    for row, label in enumerate(labels):
        if label.problem is not None:
            yield Finding(row, label.problem.text, label.problem.kind)
