"""Precision and recall of each cleaning rule against the demo store's ground truth.

    python -m benchmarks.curation.cleaning [--seed 2] [--cases 300] [--stones 1000]

The rules were tuned on the images of seed 1; the default here is another seed. Images are rendered and
measured without a crawl. Precision: the share of a rule's drops that it must drop (`_ground_truth` defines
these, and the drops that do not count). Recall: the share of these that it drops. A good image of which no
copy is kept counts as wrongly dropped.
"""

import argparse
import hashlib
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from benchmarks.curation._ground_truth import NEAR_COPIES, RULES_FOR, SCOPES, needed
from curation.cleaning.clean import apply_rules
from curation.cleaning.image_table import read_image_table
from curation.cleaning.params import CleanParams, read_clean
from curation.cleaning.rule_set import load_rules
from curation.measurement.measure import measure
from curation.taxonomy.taxonomy import Taxonomy, normalise, read_taxonomy
from gemkit.executor.local import map_shards
from gemkit.progress import Progress
from gemkit.project import PARAMS, Project
from gemkit.tables import write_bytes, write_table
from scraper.demo_store.catalogue import Catalogue, Photo, build
from scraper.demo_store.render import photo_bytes
from scraper.tables import IMAGES

SITE = "demo"
_SHARD = 16


class Case(NamedTuple):
    """A file to clean; `repacked`: with a comment added, so that only its pixels equal those of its photo."""

    photo: Photo
    repacked: bool = False

    @property
    def original(self) -> str:
        """Path of the photo, or of the photo that it is a copy of."""
        return self.photo.copy_of or self.photo.path


class Score(NamedTuple):
    """The score of a rule: `cases` it must drop, `found` it dropped, `right` in both.

    `missed` and `wrong` count the failures by kind of image, or by the change made to a copy.
    """

    rule: str
    cases: int
    found: int
    right: int
    missed: Counter[str]
    wrong: Counter[str]

    @property
    def precision(self) -> float:
        """1 if nothing was dropped."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """1 if there was nothing to drop."""
        return self.right / self.cases if self.cases else 1.0


class Result(NamedTuple):
    """`good`: number of good images; `lost`: those with no file kept, and the rules that dropped them."""

    scores: list[Score]
    good: int
    lost: dict[str, list[str]]


def choose_cases(catalogue: Catalogue, cases: int, stones: int) -> list[Case]:
    """Bad images that give each rule `cases`, the originals of the copies, and `stones` good images."""
    kinds: defaultdict[str, list[Photo]] = defaultdict(list)
    for photo in catalogue.photos:
        kinds[photo.kind].append(photo)
    for kind in NEAR_COPIES:
        # Two copies made by the same change are the same file.
        made = {(photo.copy_of, photo.change, photo.suffix): photo for photo in kinds[kind]}
        kinds[kind] = list(made.values())
    bad = [
        photo for kind in (*RULES_FOR, *NEAR_COPIES) for photo in _spread(kinds[kind], needed(kind, cases))
    ]
    originals = [catalogue.by_path[photo.copy_of] for photo in bad if photo.copy_of]
    good = _spread([photo for photo in catalogue.photos if photo.usable], stones)
    photos = list({photo.path: photo for photo in [*bad, *originals, *good]}.values())
    repacked = _spread([photo for photo in photos if photo.usable], cases)
    return [Case(photo) for photo in photos] + [Case(photo, repacked=True) for photo in repacked]


def _spread(photos: list[Photo], count: int) -> list[Photo]:
    """`count` evenly spaced images of the list, in which neighbours are often views of one stone."""
    step = max(1.0, len(photos) / max(1, count))
    return [photos[int(index * step)] for index in range(min(count, len(photos)))]


def score_cases(
    project: Project, catalogue: Catalogue, cases: list[Case], settings: CleanParams, taxonomy: Taxonomy
) -> Result:
    """Store, measure and clean the cases in a project."""
    truth = _store(project, catalogue, cases)
    measure(project, SITE)
    rows = apply_rules(read_image_table(project, [SITE]), load_rules(settings.rules), taxonomy, {})
    found = {row.sha256: {reason.rule for reason in row.reasons} for row in rows}
    telling = {sha256 for sha256, case in truth.items() if case.photo.telling_name}
    scores = [_score("file_name", truth, found, telling)]
    for rule, scope in SCOPES.items():
        expected = {sha256 for sha256, case in truth.items() if case.photo.kind in scope.kinds}
        scores.append(_score(rule, truth, found, expected, scope.tolerated))
    scores += _score_copies(truth, found)
    good = {case.original for case in truth.values() if case.photo.usable}
    kept = {truth[row.sha256].original for row in rows if row.keep}
    rules_of: defaultdict[str, set[str]] = defaultdict(set)
    for sha256, case in truth.items():
        rules_of[case.original] |= found[sha256]
    return Result(scores, len(good), {path: sorted(rules_of[path]) for path in sorted(good - kept)})


def _score(
    rule: str,
    truth: dict[str, Case],
    found: dict[str, set[str]],
    expected: set[str],
    tolerated: tuple[str, ...] = (),
) -> Score:
    """The score of a rule that must drop `expected`, on single images; `found`: rules that dropped each."""
    right = 0
    missed, wrong = Counter[str](), Counter[str]()
    for sha256, case in truth.items():
        kind, dropped = case.photo.kind, rule in found[sha256]
        if sha256 in expected:
            right += dropped
            missed[kind] += not dropped
        elif kind not in tolerated:
            wrong[kind] += dropped
    return Score(rule, len(expected), right + wrong.total(), right, +missed, +wrong)


def _score_copies(truth: dict[str, Case], found: dict[str, set[str]]) -> list[Score]:
    """Of several files of one image all but one are copies, whichever of them is kept."""
    files: defaultdict[str, list[str]] = defaultdict(list)
    for sha256, case in truth.items():
        if case.photo.kind not in RULES_FOR:
            files[case.original].append(sha256)
    scores = []
    for rule, repacked in (("exact_duplicate", True), ("near_duplicate", False)):
        cases = dropped = right = 0
        missed, wrong = Counter[str](), Counter[str]()
        for images in files.values():
            # To `near_duplicate` a repacked file and its photo are one image.
            copies = sum(truth[sha256].repacked == repacked for sha256 in images) - (not repacked)
            hits = sum(rule in found[sha256] for sha256 in images)
            cases, dropped, right = cases + copies, dropped + hits, right + min(hits, copies)
            made = "/".join(sorted({truth[sha256].photo.change or "original" for sha256 in images}))
            missed[made] += max(0, copies - hits)
            wrong[made] += max(0, hits - copies)
        scores.append(Score(rule, cases, dropped, right, +missed, +wrong))
    return scores


def score_labels(taxonomy: Taxonomy, catalogue: Catalogue) -> tuple[Score, int, int]:
    """The score on products listed under two varieties; the number of correct other labels, and of all."""
    conflict = {product for photo in catalogue.photos if photo.conflict for product in photo.product_ids}
    found = right = labels_right = 0
    for product in catalogue.products.values():
        label = taxonomy.resolve(product.store_classes)
        if label.variety is None:
            found += 1
            right += product.product_id in conflict
        elif product.product_id not in conflict:
            labels_right += normalise(taxonomy.varieties[label.variety].name) == normalise(product.variety)
    missed, wrong = Counter(product=len(conflict) - right), Counter(product=found - right)
    score = Score("label", len(conflict), found, right, +missed, +wrong)
    return score, labels_right, len(catalogue.products) - len(conflict)


def _store(project: Project, catalogue: Catalogue, cases: list[Case]) -> dict[str, Case]:
    """Write the raw table and the files of the cases; returns each file's case by its sha256."""
    truth, rows = {}, []
    shards = [cases[start : start + _SHARD] for start in range(0, len(cases), _SHARD)]
    with Progress("render", len(cases)) as progress:
        for shard, contents in zip(shards, map_shards(render_cases, shards), strict=True):
            for case, content in zip(shard, contents, strict=True):
                sha256 = hashlib.sha256(content).hexdigest()
                path = f"images/{sha256[:2]}/{sha256}.{case.photo.suffix}"
                write_bytes(project.raw(SITE) / path, content)
                truth[sha256] = case
                rows.append(_raw_row(catalogue, case, sha256, path))
                progress.advance()
    rows.sort(key=lambda row: row["image_url"])
    write_table(project.raw(SITE) / "images.parquet", pa.Table.from_pylist(rows, IMAGES))
    return truth


def render_cases(cases: list[Case]) -> list[bytes]:
    """The bytes of each case's file."""
    return [
        _repacked(photo_bytes(case.photo)) if case.repacked else photo_bytes(case.photo) for case in cases
    ]


def _repacked(jpeg: bytes) -> bytes:
    comment = b"repacked"
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def _raw_row(catalogue: Catalogue, case: Case, sha256: str, path: str) -> dict[str, Any]:
    products = [catalogue.products[number] for number in case.photo.product_ids]
    return {
        "site": SITE,
        "image_url": f"http://img.test{case.photo.path}{'?repacked' if case.repacked else ''}",
        "sha256": sha256,
        "path": path,
        "status": "ok",
        "store_classes": sorted({name for product in products for name in product.store_classes}),
        "product_ids": sorted(case.photo.product_ids),
        "page_urls": [],
        "file_name": case.photo.path.rsplit("/", 1)[1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--cases", type=int, default=300, help="images that each rule must drop")
    parser.add_argument("--stones", type=int, default=1000, help="good images")
    options = parser.parse_args()
    settings = read_clean(PARAMS)
    taxonomy = read_taxonomy(settings.taxonomy_file(Project()), settings.merge)
    catalogue = build(options.seed, 1.0, dirt=options.cases / 10)
    with tempfile.TemporaryDirectory() as folder:
        cases = choose_cases(catalogue, options.cases, options.stones)
        result = score_cases(Project(Path(folder)), catalogue, cases, settings, taxonomy)
    labels, labels_right, labels_all = score_labels(
        taxonomy, build(options.seed, options.cases / 5, dirt=0.01)
    )
    print(f"demo store, seed {options.seed}\n\n{'rule':<16} cases  dropped  precision  recall")
    for score in [*result.scores, labels]:
        print(f"{score.rule:<16} {score.cases:>5}  {score.found:>7}", end="")
        print(f"  {score.precision:>9.3f}  {score.recall:>6.3f}", end="")
        print(_counts("missed", score.missed) + _counts("wrong", score.wrong))
    share = len(result.lost) / result.good
    print(f"\ngood images wrongly dropped: {len(result.lost)} of {result.good} ({share:.2%})")
    for path, rules in result.lost.items():
        print(f"  {path}: {', '.join(rules)}")
    print(f"labels right: {labels_right} of {labels_all}")


def _counts(title: str, counts: Counter[str]) -> str:
    listed = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    return f"  {title}: {listed}" if listed else ""


if __name__ == "__main__":
    main()
