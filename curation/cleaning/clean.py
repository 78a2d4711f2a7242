"""The stage `clean`: which images are kept, why the others are not, and each image's label and group."""

import gc
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curation.cleaning.decisions import Decision, read_decisions
from curation.cleaning.grouping import UnionFind
from curation.cleaning.image_table import ImageTable, read_image_table
from curation.cleaning.params import read_clean
from curation.cleaning.rules import PHASES, Reason, Rule, load_rules
from curation.params import read_sites
from curation.tables import CLEAN
from curation.taxonomy.taxonomy import Label, Taxonomy, read_taxonomy
from gemkit.errors import UserError
from gemkit.tables import write_table, write_text

OUTPUT = Path("data/clean.parquet")
METRICS = Path("metrics/clean.json")

#: An image listed by more products than this is a stock photo: it belongs to no product and no group.
STOCK_PRODUCTS = 3

#: The rule name of a person's decision to drop.
BY_HAND = "decision"


def clean(params_path: Path) -> dict[str, Any]:
    """Write data/clean.parquet and metrics/clean.json for the sites of the parameters; returns the metrics.

    Raises UserError for missing or invalid tables, parameters, taxonomy or decisions.
    """
    # Millions of small objects without cycles: garbage collection would take a fifth of the time.
    gc.disable()
    try:
        return _clean(params_path)
    finally:
        gc.enable()


def _clean(params_path: Path) -> dict[str, Any]:
    settings = read_clean(params_path)
    rules = load_rules(settings.rules, params_path)
    if "label" not in {rule.name for rule in rules}:
        raise UserError(f"'{params_path}': 'clean.rules.label' cannot be false: every image needs a variety.")
    taxonomy = read_taxonomy(settings.taxonomy, settings.merge)
    decisions = read_decisions(settings.decisions, taxonomy)
    table, metrics = apply_rules(read_image_table(read_sites(params_path)), rules, taxonomy, decisions)
    write_table(OUTPUT, table)
    write_text(METRICS, json.dumps(metrics, indent=2, ensure_ascii=False) + "\n")
    return metrics


def apply_rules(
    images: ImageTable, rules: list[Rule], taxonomy: Taxonomy, decisions: dict[str, Decision]
) -> tuple[pa.Table, dict[str, Any]]:
    """Apply the rules and decisions; returns the table CLEAN and its metrics."""
    reasons: defaultdict[int, list[tuple[str, Reason]]] = defaultdict(list)
    decided = {row: decisions[sha256] for row, sha256 in enumerate(images.sha256) if sha256 in decisions}
    kept_by_hand = {row for row, decision in decided.items() if decision.decision == "keep"}
    for row, decision in decided.items():
        if decision.decision == "drop":
            reasons[row].append((BY_HAND, Reason(row, None, None, decision.note)))
            images.dropped[row] = True
    for phase in PHASES:
        if phase == "labels":
            images.labels = _labels(images, taxonomy, decided)
        for rule in (rule for rule in rules if rule.phase == phase):
            for reason in rule.find(images):
                reasons[reason.row].append((rule.name, reason))
        if phase == "image":
            images.dropped[[row for row in reasons if row not in kept_by_hand]] = True

    products = _products(images)
    groups = _groups(images, products)
    rows = []
    for row, label in enumerate(images.labels):
        found = sorted(reasons[row], key=lambda item: item[0])
        keep = (not found or row in kept_by_hand) and label.variety is not None and bool(images.decoded[row])
        rows.append(
            {
                "sha256": images.sha256[row],
                "site": images.site[row],
                "path": images.path[row],
                "variety": label.variety,
                "species": label.species,
                "region": label.region,
                "products": products[row],
                "group_id": images.sha256[groups.find(row)],
                "reasons": [{"rule": name, **reason._asdict()} for name, reason in found],
                "keep": keep,
            }
        )
    stock = sum(bool(listed) and not own for listed, own in zip(images.products, products, strict=True))
    return pa.Table.from_pylist(rows, CLEAN), _metrics(rows, rules, stock)


def _copies(images: ImageTable) -> dict[int, list[int]]:
    """Each kept image → the rows of its copies, itself included."""
    copies: defaultdict[int, list[int]] = defaultdict(list)
    for row in range(len(images)):
        best = row
        while images.copy_of[best] != best:
            best = int(images.copy_of[best])
        copies[best].append(row)
    return copies


def _labels(images: ImageTable, taxonomy: Taxonomy, decided: dict[int, Decision]) -> list[Label]:
    """One label for an image and its copies: a person's, or else the one their class names resolve to."""
    labels: list[Label] = [Label(None)] * len(images)
    known: dict[frozenset[str], Label] = {}
    for rows in _copies(images).values():
        by_hand = [decided[row].variety for row in rows if row in decided and decided[row].variety]
        names = frozenset().union(*(images.classes[row] for row in rows))
        if by_hand and by_hand[0] is not None:
            label = taxonomy.label(by_hand[0])
        elif names in known:
            label = known[names]
        else:
            label = known[names] = taxonomy.resolve(names)
        for row in rows:
            labels[row] = label
    return labels


def _products(images: ImageTable) -> list[list[str]]:
    """The products of each image; none for a stock photo.

    A stock photo is an image that, with its copies, more than STOCK_PRODUCTS products list.
    """
    products = list(images.products)
    for rows in _copies(images).values():
        if len({product for row in rows for product in images.products[row]}) > STOCK_PRODUCTS:
            for row in rows:
                products[row] = []
    return products


def _groups(images: ImageTable, products: list[list[str]]) -> UnionFind:
    """Join images of one product and duplicates; stock photos and dropped images join nothing."""
    groups = UnionFind(len(images))
    stock = [bool(listed) and not own for own, listed in zip(products, images.products, strict=True)]
    joins = ~images.dropped & ~np.array(stock, bool)
    members: defaultdict[str, list[int]] = defaultdict(list)
    for row in np.flatnonzero(joins):
        for product in products[row]:
            members[product].append(int(row))
    for rows in members.values():
        groups.union(rows)
    for pairs in images.duplicate_pairs:
        for pair in pairs[joins[pairs].all(axis=1)].tolist():
            groups.union(pair)
    return groups


def _metrics(rows: list[dict[str, Any]], rules: list[Rule], stock: int) -> dict[str, Any]:
    kept = [row for row in rows if row["keep"]]
    dropped = Counter(rule for row in rows for rule in {reason["rule"] for reason in row["reasons"]})
    conflicts = Counter(
        reason["detail"]
        for row in rows
        for reason in row["reasons"]
        if reason["rule"] == "label" and reason["detail"].startswith("conflict")
    )
    return {
        "images": len(rows),
        "kept": len(kept),
        "groups": len({row["group_id"] for row in kept}),
        "stock_photos": stock,
        "dropped": {name: dropped[name] for name in sorted({rule.name for rule in rules} | set(dropped))},
        "conflicts": dict(sorted(conflicts.items())),
        "varieties": dict(sorted(Counter(row["variety"] for row in kept).items())),
    }
