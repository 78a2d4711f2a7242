"""The table CLEAN as rows in memory, and the metrics counted from them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from curation.cleaning.reasons import Reason
from curation.tables import CLEAN, REASON
from curation.taxonomy.taxonomy import Label

_REASON_FIELDS = tuple(field.name for field in REASON)


class CleanRow(NamedTuple):
    """One image of CLEAN (`curation/tables.py`).

    `listed`: the products that list it, also if it is a `stock` photo, which belongs to none.
    """

    sha256: str
    site: str
    path: str
    label: Label
    listed: list[str]
    stock: bool
    group_id: str
    reasons: list[Reason]
    keep: bool


@dataclass(frozen=True)
class CleanMetrics:
    """The content of metrics/clean.json: numbers of images, and of groups of kept images.

    `dropped`: images by the rule that drops them; `conflicts`: by the conflict of their class names;
    `varieties`: kept images.
    """

    images: int
    kept: int
    groups: int
    stock_photos: int
    dropped: dict[str, int]
    conflicts: dict[str, int]
    varieties: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """The metrics by name."""
        return asdict(self)


def to_table(rows: Sequence[CleanRow]) -> pa.Table:
    """The rows as the table CLEAN."""
    columns = {
        "sha256": [row.sha256 for row in rows],
        "site": [row.site for row in rows],
        "path": [row.path for row in rows],
        "variety": [row.label.variety for row in rows],
        "species": [row.label.species for row in rows],
        "region": [row.label.region for row in rows],
        "products": [[] if row.stock else row.listed for row in rows],
        "group_id": [row.group_id for row in rows],
        "reasons": [[_struct(reason) for reason in row.reasons] for row in rows],
        "keep": [row.keep for row in rows],
    }
    return pa.Table.from_pydict(columns, CLEAN)


def _struct(reason: Reason) -> dict[str, str | float | None]:
    return {name: getattr(reason, name) for name in _REASON_FIELDS}


def count(rows: Sequence[CleanRow], rules: Iterable[str]) -> CleanMetrics:
    """The metrics of the rows; `rules` are those that ran."""
    kept = [row for row in rows if row.keep]
    dropped = Counter(rule for row in rows for rule in {reason.rule for reason in row.reasons})
    conflicts = Counter(
        row.label.problem.text for row in rows if row.label.problem and row.label.problem.kind == "conflict"
    )
    return CleanMetrics(
        images=len(rows),
        kept=len(kept),
        groups=len({row.group_id for row in kept}),
        stock_photos=sum(row.stock for row in rows),
        dropped={name: dropped[name] for name in sorted({*rules, *dropped})},
        conflicts=dict(sorted(conflicts.items())),
        varieties=dict(sorted(Counter(str(row.label.variety) for row in kept).items())),
    )
