"""Flat records as rows of a CSV file."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gemkit.tables import write_text
from gemtrain.scoring.rounding import rounded

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")


def write_records(path: Path, kind: type[Record], records: Iterable[Record]) -> None:
    """Write dataclass instances of one kind as CSV, a field a column."""
    write_rows(path, [field.name for field in fields(kind)], map(asdict, records))


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows as CSV, numbers with four decimals, None as an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rounded(row) for row in rows)
    write_text(path, text.getvalue())
