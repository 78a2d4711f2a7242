"""The stage `clean`: which images are kept, why the others are not, and each image's label and group."""

import gc
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from curation.cleaning.clean_table import CleanMetrics, CleanRow, count, to_table
from curation.cleaning.decisions import Decision, read_decisions
from curation.cleaning.duplicates import find_duplicates
from curation.cleaning.grouping import group_images, stock_photos
from curation.cleaning.image_table import ImageTable, read_image_table
from curation.cleaning.label import find_problems, resolve_labels
from curation.cleaning.params import CleanParams
from curation.cleaning.reasons import Finding, Reason
from curation.cleaning.rule_set import LABEL, RuleSet, load_rules
from curation.taxonomy.taxonomy import Taxonomy, read_taxonomy
from gemkit.arrays import Bools
from gemkit.errors import UserError
from gemkit.project import Project
from gemkit.tables import write_table, write_text

#: The rule name of a person's decision to drop.
BY_HAND = "decision"


@dataclass(frozen=True)
class CleanSummary:
    """The metrics, and what a person may want to correct.

    `unused_decisions`: lines of the file of decisions that are about an image that no site has.
    `unknown_names`: images by the sentence on their class names, none of which stands for a variety.
    """

    metrics: CleanMetrics
    unused_decisions: list[int]
    unknown_names: dict[str, int]


def clean(project: Project, sites: Collection[str], settings: CleanParams = CleanParams()) -> CleanSummary:
    """Write data/clean.parquet and metrics/clean.json for the sites' images; returns a summary.

    Raises UserError for an unknown rule or setting, and for missing or invalid tables, taxonomy or decisions.
    """
    # Millions of small objects without cycles: garbage collection would take a fifth of the time.
    gc.disable()
    try:
        return _clean(project, sites, settings)
    finally:
        gc.enable()


def _clean(project: Project, sites: Collection[str], settings: CleanParams) -> CleanSummary:
    if isinstance(sites, str) or not sites:
        raise UserError(f"Give a list of sites, like ['demo'] (found {sites!r}).")
    rules = load_rules(settings.rules)
    taxonomy = read_taxonomy(settings.taxonomy_file(project), settings.merge)
    file = settings.decisions_file(project)
    decisions = read_decisions(file, taxonomy) if file else {}
    images = read_image_table(project, sites)
    rows = apply_rules(images, rules, taxonomy, decisions)
    metrics = count(rows, rules.settings())
    write_table(project.clean_table, to_table(rows))
    text = json.dumps(metrics.to_json(), indent=2, ensure_ascii=False) + "\n"
    write_text(project.metrics / "clean.json", text)
    unused = decisions.keys() - set(images.sha256)
    problems = (row.label.problem for row in rows)
    unknown = Counter(problem.text for problem in problems if problem and problem.kind == "unknown")
    lines = sorted(decisions[sha256].line for sha256 in unused)
    return CleanSummary(metrics, lines, dict(unknown.most_common()))


def apply_rules(
    images: ImageTable, rules: RuleSet, taxonomy: Taxonomy, decisions: Mapping[str, Decision]
) -> list[CleanRow]:
    """Apply the rules and people's decisions (by sha256); returns one row per image, in order."""
    decided = {row: decisions[sha256] for row, sha256 in enumerate(images.sha256) if sha256 in decisions}
    found = [
        *_dropped_by_hand(decided),
        *(reason for rule in rules.on_images for reason in rule.find(images)),
    ]
    remaining = _remaining(images, found, decided)
    duplicates = find_duplicates(images, remaining & images.decoded, rules.on_duplicates)
    labels = resolve_labels(images, duplicates, taxonomy, decided)
    found += [*duplicates.reasons, *(Reason.of(LABEL, finding) for finding in find_problems(labels))]
    stock = stock_photos(images, duplicates)
    group_ids = group_images(images, remaining & ~stock, duplicates)
    named = np.array([label.variety is not None for label in labels], bool)
    keep = _remaining(images, found, decided) & images.decoded & named
    return [
        CleanRow(*row)
        for row in zip(
            images.sha256, images.site, images.path, labels, images.products, stock.tolist(), group_ids,
            _by_image(images, found), keep.tolist(), strict=True,
        )
    ]  # fmt: skip


def _dropped_by_hand(decided: Mapping[int, Decision]) -> Iterator[Reason]:
    for row, decision in decided.items():
        if decision.decision == "drop":
            yield Reason.of(BY_HAND, Finding(row, decision.note))


def _remaining(images: ImageTable, found: Iterable[Reason], decided: Mapping[int, Decision]) -> Bools:
    """The images without a reason, and those that a person keeps whatever the reasons."""
    remaining = np.ones(len(images), bool)
    remaining[[reason.row for reason in found]] = False
    remaining[[row for row, decision in decided.items() if decision.decision == "keep"]] = True
    return remaining


def _by_image(images: ImageTable, found: Iterable[Reason]) -> list[list[Reason]]:
    """The reasons of each image, in order of rule."""
    reasons: list[list[Reason]] = [[] for _ in range(len(images))]
    for reason in sorted(found, key=lambda reason: reason.rule):
        reasons[reason.row].append(reason)
    return reasons
