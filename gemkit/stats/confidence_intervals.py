"""95 % intervals of shares and means, when images of one group (of one stone) are not independent."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from gemkit.arrays import Array, Floats

DRAWS = 2000
_LEVEL = 0.95
_Z = 1.959964


class Interval(NamedTuple):
    """Lower and upper end of a 95 % interval."""

    low: float
    high: float


class Estimate(NamedTuple):
    """A score, or a difference of scores, with its 95 % interval."""

    value: float
    interval: Interval

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.interval.low:.3f}, {self.interval.high:.3f}]"


class GroupBootstrap:
    """The percentile bootstrap over groups: as many groups as there are are drawn with replacement.

    `groups` is the group of each of N images. All scores of one object share the same draws, so that their
    differences are paired. A score that is the same in every group (all correct, all wrong) has an interval
    of width zero. Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13; whole
    clusters are drawn as in Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8.
    """

    def __init__(self, groups: Sequence[str], draws: int = DRAWS, seed: int = 0):
        names, group = np.unique(np.asarray(groups), return_inverse=True)
        self._order = np.argsort(group, kind="stable")
        self._starts = np.searchsorted(group[self._order], np.arange(len(names)))
        rng = np.random.default_rng(seed)
        # How often each group occurs in each draw: sums over images become one matrix product.
        self._counts = np.empty((draws, len(names)), np.float32)
        for row in self._counts:
            row[:] = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))

    def sums(self, values: Array) -> Floats:
        """The sum of values [N] or [N, K] in each draw: [draws] or [draws, K]."""
        per_group = np.add.reduceat(values[self._order].astype(np.float32), self._starts, axis=0)
        sums: Floats = (self._counts @ per_group).astype(np.float64)
        return sums

    def means(self, values: Array) -> Floats:
        """The mean of values [N] over the images of each draw: [draws]."""
        return self.sums(values) / self.sums(np.ones(len(values)))

    def mean(self, values: Array) -> Interval:
        """The interval of the mean of values [N]."""
        return interval(self.means(values))


def interval(draws: Floats) -> Interval:
    """The middle 95 % of a score's values over the draws."""
    low, high = np.quantile(draws, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Interval(float(low), float(high))


def sign_probability(draws: Floats) -> float:
    """Two-sided p value of a difference from its draws: the probability that its sign is due to chance."""
    below, above = (draws <= 0).sum(), (draws >= 0).sum()
    return min(1.0, float(2 * (1 + min(below, above)) / (1 + len(draws))))


def wilson(share: float, group_sizes: Iterable[int]) -> Interval:
    """The score interval of a share of images that come in groups of these sizes.

    Images of one group count as fully dependent: as (Σ m)² / Σ m² independent ones (Kish, Survey Sampling,
    1965), which is the number of groups when they are equal. Unlike the bootstrap it has a positive width
    even when all images of a rare class are correct. Source: Wilson, JASA 22, 1927.
    """
    sizes = np.array(list(group_sizes), dtype=float)
    if not sizes.size:
        return Interval(0.0, 1.0)
    n = sizes.sum() ** 2 / (sizes**2).sum()
    centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return Interval(float(max(0.0, centre - half)), float(min(1.0, centre + half)))
