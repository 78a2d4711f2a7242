"""Fit the content head to labelled pictures and the demo store: curation/content/head.npz and its card.

    python -m tools.fit_content_head FILE [--apart FOLDER] [--seed 1] [--cases 30] [--stones 100]

FILE holds the labels, as for `gemcurate content fit`. FOLDER holds pictures of single cut stones that nothing
is fitted to: the card says how many of them are dropped. Takes some ten minutes.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.curation.cleaning import Case, choose_cases, render_cases
from curation.content.evaluate import kept_probability, out_of_fold, scaled
from curation.content.fit import fit_head
from curation.content.head import BUILT_IN, Head
from curation.content.labels import CONTENT_CLASSES, Labelled, read_labels
from curation.content.pictures import read_examples
from gemkit.executor.local import map_shards
from gemkit.image_formats import SUFFIXES
from gemkit.progress import Progress
from gemkit.project import Project
from gemkit.stats.calibration import apply_temperature, best_temperature
from gemkit.tables import write_text
from scraper.demo_store.catalogue import build
from tools.content_card import KEPT, LOSS, Share, card

#: Kind of photo in the demo store → content class, without copies, broken files and what cannot be made out.
CONTENT_OF = {
    "stone": "cut", "stock": "cut", "several": "several", "hand": "hand", "glove": "hand",
    "no_stone": "no_stone", "blank": "no_stone", "banner": "document", "size_chart": "document",
    "certificate": "document", "placeholder": "document", "screenshot": "document", "watermark": "printed",
}  # fmt: skip
DEMO = "demo store"
CARD = BUILT_IN.with_suffix(".md")

_SHARD = 16


def rendered_pictures(seed: int, cases: int, stones: int, folder: Path) -> list[Labelled]:
    """Pictures of the demo store, rendered into a folder; their notes are their kinds."""
    chosen = choose_cases(build(seed, 1.0, dirt=max(1, cases / 10)), cases, stones)
    wanted = [case for case in chosen if case.photo.kind in CONTENT_OF and not case.repacked]
    shards = [wanted[start : start + _SHARD] for start in range(0, len(wanted), _SHARD)]
    found = []
    with Progress(f"demo store, seed {seed}", len(shards)) as progress:
        for shard, contents in zip(shards, map_shards(render_cases, shards), strict=True):
            found += [_stored(folder, seed, *pair) for pair in zip(shard, contents, strict=True)]
            progress.advance()
    return found


def _stored(folder: Path, seed: int, case: Case, content: bytes) -> Labelled:
    path = folder / f"{seed}{case.photo.path.replace('/', '-')}"
    path.write_bytes(content)
    return Labelled(path, CONTENT_OF[case.photo.kind], f"rendered: {case.photo.kind.replace('_', ' ')}", DEMO)


def stones_in(folder: Path) -> list[Labelled]:
    """The pictures in a folder and its folders, as cut stones."""
    files = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES)
    return [Labelled(path, "cut", "cut stones of another collection", str(path)) for path in files]


def judge(head: Head, pictures: Sequence[Labelled], project: Project, threshold: float) -> list[Share]:
    """What the head drops of pictures that it was not fitted to, by note."""
    features = read_examples(pictures, project).features[:, 0]
    dropped = kept_probability(head.classes, head.probabilities(features), KEPT) < threshold
    notes = np.array([picture.note for picture in pictures])
    return [
        Share(str(note), int((notes == note).sum()), float(dropped[notes == note].mean()))
        for note in np.unique(notes)
    ]


def main() -> None:
    """Fit the head, judge it, and write it with its card."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("labels", type=Path)
    parser.add_argument("--apart", type=Path)
    parser.add_argument("--seed", type=int, default=1, help="of the demo store; the next one judges")
    parser.add_argument("--cases", type=int, default=30, help="rendered images that each rule must drop")
    parser.add_argument("--stones", type=int, default=100, help="good rendered images")
    options = parser.parse_args()
    project = Project()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        real = read_labels(options.labels)
        rendered = rendered_pictures(options.seed, options.cases, options.stones, folder)
        examples = read_examples([*real, *rendered], project)
        probabilities = out_of_fold(examples, CONTENT_CLASSES)
        temperature = best_temperature(examples.labels(CONTENT_CLASSES), probabilities)
        head = scaled(fit_head(examples, CONTENT_CLASSES), temperature)
        shops = examples.rows(np.arange(len(real)))
        of_shops = apply_temperature(probabilities, temperature)[: len(real)]
        good = np.array(shops.content) == KEPT[0]
        threshold = float(np.quantile(kept_probability(head.classes, of_shops, KEPT)[good], LOSS))
        judged = rendered_pictures(options.seed + 1, options.cases, options.stones, folder)
        others = judge(head, judged, project, threshold)
        if options.apart:
            others += judge(head, stones_in(options.apart), project, threshold)
    head.write(BUILT_IN)
    write_text(CARD, card(real, shops, of_shops, len(rendered), threshold, others))


if __name__ == "__main__":
    main()
