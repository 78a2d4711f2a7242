"""Rows of the tables that splitting and balancing read and write."""

from pathlib import Path
from typing import NamedTuple

from curation.tables import CLEAN, SPLIT
from gemkit.tables import read_table


class CleanedImage(NamedTuple):
    """The columns of CLEAN that decide an image's split; a kept image has a variety and a group."""

    sha256: str
    variety: str | None
    products: list[str]
    group_id: str | None
    keep: bool


class SplitImage(NamedTuple):
    """A row of SPLIT."""

    sha256: str
    group_id: str
    variety: str
    split: str
    fold: int


def read_cleaned(path: Path) -> list[CleanedImage]:
    """The rows of data/clean.parquet. Raises UserError for a missing or wrong table."""
    table = read_table(path, CLEAN, list(CleanedImage._fields))
    return [CleanedImage(**row) for row in table.to_pylist()]


def read_split_table(path: Path) -> list[SplitImage]:
    """The rows of data/split.parquet. Raises UserError for a missing or wrong table."""
    table = read_table(path, SPLIT, list(SplitImage._fields))
    return [SplitImage(**row) for row in table.to_pylist()]
