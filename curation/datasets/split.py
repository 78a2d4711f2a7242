"""The stage `split`: every kept image on one side, whole groups at a time, stable as the store grows."""

import hashlib
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from curation.params import SplitParams, read_split
from curation.tables import CLEAN, SPLIT, SPLITS
from gemkit.errors import UserError
from gemkit.tables import read_table, write_table

CLEAN_TABLE = Path("data/clean.parquet")
SPLIT_TABLE = Path("data/split.parquet")
#: A variety with fewer groups cannot be on all three sides.
FEW_GROUPS = len(SPLITS)
#: Strongest first: when groups merge, the merged group goes to the strongest side that one of them was on.
_STRENGTH = ("test", "validation", "train")


def split(params_path: Path) -> dict[str, Any]:
    """Assign the kept images of data/clean.parquet to sides in data/split.parquet; returns a summary.

    Raises UserError when no image is kept or a kept one has no variety or group.
    """
    params = read_split(params_path)
    columns = ["sha256", "variety", "products", "group_id", "keep"]
    rows = read_table(CLEAN_TABLE, CLEAN, columns).to_pylist()
    table = assign(rows, params)
    write_table(SPLIT_TABLE, pa.Table.from_pylist(table, SPLIT))
    return summarise(table)


def assign(rows: list[dict[str, Any]], params: SplitParams) -> list[dict[str, Any]]:
    """The rows of SPLIT for those of CLEAN, sorted by sha256.

    A group's place in the order of its variety is the smallest hash of its atoms: its products, or the image
    itself where it has none. New photos of a product leave that place alone, and merged groups take the place
    of the first. The share of images before it decides the side, so that 1 % of new images moves about 1 %.
    """
    kept = sorted((row for row in rows if row["keep"]), key=lambda row: row["sha256"])
    if not kept:
        raise UserError(f"'{CLEAN_TABLE}' keeps no image; look at its reasons and relax the rules.")
    for row in kept:
        if not row["variety"] or not row["group_id"]:
            raise UserError(
                f"'{CLEAN_TABLE}': image {row['sha256']} is kept without a variety or a group; "
                "name its variety in the decisions or drop it."
            )
    images: dict[str, Counter[str]] = defaultdict(Counter)  # variety → group → images
    for row in kept:
        images[row["variety"]][row["group_id"]] += 1
    atoms = _atoms(rows, {row["group_id"] for row in kept})
    sides, folds = _sides(images, atoms, params), _folds(images, atoms, params)
    return [
        {
            "sha256": row["sha256"],
            "group_id": row["group_id"],
            "variety": row["variety"],
            "split": sides[row["group_id"]],
            "fold": folds[row["group_id"]],
        }
        for row in kept
    ]


def _atoms(rows: list[dict[str, Any]], groups: set[str]) -> dict[str, set[str]]:
    # Of dropped images too: a rule that drops one more photo must not move the rest of its group.
    atoms: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row["group_id"] in groups:
            atoms[row["group_id"]].update(row["products"] or [row["sha256"]])
    return atoms


def _place(atoms: set[str], seed: int, purpose: str) -> float:
    """A number in [0, 1) that depends on nothing but the atoms' smallest hash."""
    hashes = (hashlib.sha256(f"{seed} {purpose} {atom}".encode()).digest()[:8] for atom in atoms)
    return int.from_bytes(min(hashes)) / 2**64


def _shares_before(
    groups: Counter[str], atoms: dict[str, set[str]], seed: int, purpose: str
) -> list[tuple[str, float]]:
    """The groups in order of their place, each with the share of the images that come before it."""
    order = sorted(groups, key=lambda group: (_place(atoms[group], seed, purpose), group))
    total, before, shares = groups.total(), 0, []
    for group in order:
        shares.append((group, before / total))
        before += groups[group]
    return shares


def _sides(
    images: dict[str, Counter[str]], atoms: dict[str, set[str]], params: SplitParams
) -> dict[str, str]:
    """The side of each group: in each variety first test, then validation (at least one group), then train.

    A group of several varieties takes the strongest side that any of them gives it.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for groups in images.values():
        validated = False
        for group, before in _shares_before(groups, atoms, params.seed, "side"):
            if before < params.test:
                side = "test"
            elif before < params.test + params.validation or (params.validation and not validated):
                side, validated = "validation", True
            else:
                side = "train"
            found[group].add(side)
    return {group: min(sides, key=_STRENGTH.index) for group, sides in found.items()}


def _folds(
    images: dict[str, Counter[str]], atoms: dict[str, set[str]], params: SplitParams
) -> dict[str, int]:
    """The fold of each group, by an order of its own; a group of several varieties follows its commonest."""
    folds: dict[str, tuple[int, int]] = {}
    for variety in sorted(images):
        groups = images[variety]
        for group, before in _shares_before(groups, atoms, params.seed, "fold"):
            if groups[group] > folds.get(group, (0, 0))[0]:
                folds[group] = groups[group], int(before * params.folds)
    return {group: fold for group, (_, fold) in folds.items()}


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Images and groups on each side, in all and by variety; the varieties with too few groups."""
    everything: dict[str, set[str]] = {side: set() for side in SPLITS}
    varieties: dict[str, dict[str, set[str]]] = defaultdict(lambda: {side: set() for side in SPLITS})
    counts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        counts[row["variety"], row["split"]] += 1
        varieties[row["variety"]][row["split"]].add(row["group_id"])
        everything[row["split"]].add(row["group_id"])
    return {
        "images": {side: sum(counts[variety, side] for variety in varieties) for side in SPLITS},
        "groups": {side: len(groups) for side, groups in everything.items()},
        "varieties": {
            variety: {
                side: {"images": counts[variety, side], "groups": len(varieties[variety][side])}
                for side in SPLITS
            }
            for variety in sorted(varieties)
        },
        "too few groups": [
            variety
            for variety in sorted(varieties)
            if len(set().union(*varieties[variety].values())) < FEW_GROUPS
        ],
    }
