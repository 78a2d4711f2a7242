"""The card of the content head: what it was learnt from, and how well it does, in Markdown."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from curation.content.evaluate import class_figures, dropped_out_of_fold
from curation.content.fit import Examples
from curation.content.labels import CONTENT_CLASSES, Labelled
from gemkit.arrays import Bools, Floats

#: The classes that stay in a dataset, the good stones first.
KEPT = ("cut", "rough")
#: Share of the good stones that may be lost.
LOSS = 0.02

_PAGE = """\
# The content head

A linear layer on the features of EfficientNet-Lite0 (ImageNet). `python -m tools.fit_content_head` wrote it
and this card.

It was learnt from {real:,} pictures of {sources} sources: the public source repositories of some 75 gem and
jewellery shops, and a few collections of hands and documents. One person labelled them by eye, from
previews; expect a per cent or two of errors. Pictures made by a generator were left out. No picture is part
of this project. {rendered:,} rendered pictures of the demo store were added and count as one more shop. All
sources of a class count the same, and a class counts by the square root of its number of pictures.

The figures are of real pictures, in five folds in which no source is on two sides; the temperature was
fitted to the same predictions. Intervals (95 %) are over sources. `dropped`: a cut and a rough stone
together are less likely than a threshold; that of a fold loses {loss:.0%} of the cut stones of the other
folds. `found`: the share of the class that is likelier than all but 2 % of the cut stones.

| class | pictures | sources | dropped | area under the curve against cut stones | found |
|---|---|---|---|---|---|
{classes}

Of the pictures that are kept, {purity:.2f} show one cut or rough stone. Cut stones lost, by note: {lost}.

The threshold {threshold:.2f} loses {loss:.0%} of all cut stones. The final head drops with it, of pictures
that it was not fitted to:

| pictures | number | dropped |
|---|---|---|
{others}

Limits: the sources are few, and `document` and `printed` hold few pictures of few shops. A lot of rough
stones is often taken for one rough stone, and a stone with a few printed words for a plain one; the rules
`several`, `text` and `watermark` look for these too. Shops of beads, fossils, pearls or coins were not
seen.
"""


class Share(NamedTuple):
    """How many pictures of a kind there are, and the share of them that is dropped."""

    kind: str
    pictures: int
    dropped: float


def card(
    pictures: Sequence[Labelled],
    examples: Examples,
    probabilities: Floats,
    rendered: int,
    threshold: float,
    others: Sequence[Share],
) -> str:
    """The card for real pictures with their out-of-fold probabilities, `rendered` others besides them."""
    dropped = dropped_out_of_fold(examples, CONTENT_CLASSES, probabilities, KEPT, LOSS)
    kept = [
        picture.content in KEPT
        for picture, is_dropped in zip(pictures, dropped, strict=True)
        if not is_dropped
    ]
    return _PAGE.format(
        real=len(pictures),
        sources=len({picture.source for picture in pictures}),
        rendered=rendered,
        loss=LOSS,
        threshold=threshold,
        classes="\n".join(_class_rows(examples, probabilities, dropped)),
        purity=float(np.mean(kept)),
        lost=", ".join(_lost(pictures, dropped)),
        others="\n".join(f"| {row.kind} | {row.pictures} | {row.dropped:.3f} |" for row in others),
    )


def _class_rows(examples: Examples, probabilities: Floats, dropped: Bools) -> Iterator[str]:
    figures = {row.name: row for row in class_figures(examples, CONTENT_CLASSES, probabilities, KEPT[0])}
    content, source = np.array(examples.content), np.array(examples.source)
    for name in (name for name in CONTENT_CLASSES if name in examples.content):
        where = content == name
        row = figures.get(name)
        told = f"{row.auc} | {row.recall}" if row else "|"
        counts = f"{where.sum()} | {len(set(source[where]))} | {dropped[where].mean():.2f}"
        yield f"| {name} | {counts} | {told} |"


def _lost(pictures: Sequence[Labelled], dropped: Bools) -> Iterator[str]:
    """Of the good stones with each note, how many are dropped."""
    notes = [picture.note or "none" if picture.content == KEPT[0] else "" for picture in pictures]
    all_of = Counter(notes)
    lost = Counter(note for note, is_dropped in zip(notes, dropped, strict=True) if is_dropped)
    return (f"{note} {lost[note]} of {all_of[note]}" for note in sorted(all_of) if note)
