"""The step that finds copies among the remaining images, and which image is kept instead of each."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from curation.cleaning.image_table import ImageTable
from curation.cleaning.reasons import Finding, Reason
from gemkit.arrays import Bools, Ints
from gemkit.strict_model import StrictModel


class Copies(NamedTuple):
    """The result of a comparison, as rows of the image table.

    `pairs`: two images that show the same, n × 2; `copies`: (kept image, its copy), m × 2; `findings`: one
    for each copy.
    """

    pairs: Ints
    copies: Ints
    findings: list[Finding]


@dataclass(frozen=True)
class Comparison:
    """A rule that compares images, with its settings; `function` compares the images at the given rows."""

    name: str
    settings: StrictModel
    function: Callable[[ImageTable, Ints, Any], Copies]

    def find(self, images: ImageTable, rows: Ints) -> Copies:
        """The copies among the images at these rows."""
        return self.function(images, rows, self.settings)


@dataclass(frozen=True, eq=False)
class Duplicates:
    """`copy_of`: for each image the row of the better copy that is kept instead, its own if it is kept.

    `pairs`: rows of two images that show the same, n × 2; `reasons`: one for each copy.
    """

    copy_of: Ints
    pairs: Ints
    reasons: list[Reason]

    @cached_property
    def clusters(self) -> list[list[int]]:
        """The rows of each kept image and its copies, in order."""
        clusters: defaultdict[int, list[int]] = defaultdict(list)
        for row, best in enumerate(self.copy_of.tolist()):
            while self.copy_of[best] != best:  # a copy of what is itself a copy
                best = int(self.copy_of[best])
            clusters[best].append(row)
        return list(clusters.values())


def find_duplicates(images: ImageTable, remaining: Bools, comparisons: Iterable[Comparison]) -> Duplicates:
    """Find the copies among the remaining images; each comparison sees those that no earlier one dropped."""
    own = np.arange(len(images))
    copy_of, pairs, reasons = own.copy(), [np.empty((0, 2), np.int64)], []
    for comparison in comparisons:
        found = comparison.find(images, np.flatnonzero(remaining & (copy_of == own)))
        kept, copies = found.copies.T
        copy_of[copies] = kept
        pairs.append(found.pairs)
        reasons += [Reason.of(comparison.name, finding) for finding in found.findings]
    return Duplicates(copy_of, np.concatenate(pairs), reasons)


def choose_copies(pairs: Ints, rank: Ints) -> Ints:
    """For each image the index of the better image it is a copy of, its own if it is kept.

    Images are visited from the best rank (0) on. Each becomes a copy of the best kept image that it forms a
    pair with, so an image is never dropped over a chain: it forms a pair with the image kept instead.
    """
    kept_for = np.arange(len(rank))
    better = np.where(rank[pairs[:, 0]] < rank[pairs[:, 1]], pairs[:, 0], pairs[:, 1])
    worse = pairs.sum(axis=1) - better
    order = np.lexsort((rank[better], rank[worse]))
    for one, other in zip(better[order], worse[order], strict=True):
        if kept_for[one] == one and kept_for[other] == other:
            kept_for[other] = one
    return kept_for
