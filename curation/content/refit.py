"""Refit the content head to a user's own pictures: `gemcurate content fit`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from curation.content.evaluate import FOLDS, out_of_fold, over_sources
from curation.content.fit import Examples, extended, fit_head
from curation.content.head import BUILT_IN, read_head
from curation.content.labels import CONTENT_CLASSES, read_labels
from curation.content.pictures import read_examples
from gemkit.arrays import Array, Floats
from gemkit.errors import UserError
from gemkit.executor.base import Limits
from gemkit.project import Project
from gemkit.stats.calibration import log_loss
from gemkit.stats.confidence_intervals import Estimate

#: Fewer pictures of a class of the user's own say too little about it.
_FEWEST = 10


class Change(NamedTuple):
    """A figure of the built-in head, of the refitted one on the folds that it was not fitted to, and the
    difference, with its interval over sources.
    """

    before: float
    after: float
    difference: Estimate


class ClassChange(NamedTuple):
    """The number of pictures of a class, and the shares of them for which it was and is the likeliest."""

    pictures: int
    before: float
    after: float


@dataclass(frozen=True)
class RefitSummary:
    """`right`: share of pictures whose class is the likeliest; `log_loss`: in nats, lower is better;
    `written`: the file of the new head, None when the log loss did not fall.
    """

    pictures: int
    sources: int
    own_classes: list[str]
    right: Change
    log_loss: Change
    classes: dict[str, ClassChange]
    written: Path | None


def refit(project: Project, labels: Path, limits: Limits = Limits()) -> RefitSummary:
    """Refit the built-in head to labelled pictures, and write it as the project's own if it gains.

    It is judged by folds over sources. Raises UserError for invalid labels, and for too few to judge by.
    """
    pictures = read_labels(labels)
    classes = (*CONTENT_CLASSES, *sorted({picture.content for picture in pictures} - {*CONTENT_CLASSES}))
    _check_numbers([p.content for p in pictures], [p.source for p in pictures], labels)
    examples = read_examples(pictures, project, limits)
    start = extended(read_head(BUILT_IN), classes)
    before = start.probabilities(examples.features[:, 0])
    after = out_of_fold(examples, classes, start)
    change = _change(partial(_mean_loss, examples, classes), before, after, examples)
    is_better = change.after < change.before
    if is_better:
        fit_head(examples, classes, start).write(project.content_head)
    return RefitSummary(
        pictures=len(pictures),
        sources=len(set(examples.source)),
        own_classes=list(classes[len(CONTENT_CLASSES) :]),
        right=_change(partial(_share_right, examples, classes), before, after, examples),
        log_loss=change,
        classes={name: _of_class(name, examples, classes, before, after) for name in classes
                 if name in examples.content},
        written=project.content_head if is_better else None,
    )  # fmt: skip


def _check_numbers(content: Sequence[str], source: Sequence[str], file: Path) -> None:
    for name in sorted({*content} - {*CONTENT_CLASSES}):
        if content.count(name) < _FEWEST:
            raise UserError(
                f"'{file}' has {content.count(name)} pictures of the class '{name}', which is not one of "
                f"{', '.join(CONTENT_CLASSES)}; give at least {_FEWEST} or correct the name."
            )
    if len({*source}) < FOLDS or len({*content}) < 2:
        raise UserError(
            f"'{file}' has pictures of {len({*source})} sources and {len({*content})} classes; a head can be "
            f"judged with at least {FOLDS} sources and 2 classes."
        )


def _change(score: partial[float], before: Floats, after: Floats, examples: Examples) -> Change:
    def difference(chosen: Array) -> float:
        return float(score(after, chosen) - score(before, chosen))

    everything, sources = np.arange(len(examples.content)), np.array(examples.source)
    return Change(score(before, everything), score(after, everything), over_sources(difference, sources))


def _mean_loss(examples: Examples, classes: Sequence[str], probabilities: Floats, chosen: Array) -> float:
    return log_loss(examples.labels(classes)[chosen], probabilities[chosen])


def _share_right(examples: Examples, classes: Sequence[str], probabilities: Floats, chosen: Array) -> float:
    return float((probabilities[chosen].argmax(axis=1) == examples.labels(classes)[chosen]).mean())


def _of_class(
    name: str, examples: Examples, classes: Sequence[str], before: Floats, after: Floats
) -> ClassChange:
    chosen = np.flatnonzero(np.array(examples.content) == name)
    was, now = (_share_right(examples, classes, values, chosen) for values in (before, after))
    return ClassChange(len(chosen), was, now)
