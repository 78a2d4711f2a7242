"""Rows of the tables that splitting and balancing read and write."""

from pathlib import Path
from typing import NamedTuple

from curation.tables import CLEAN, SPLIT
from gemkit.errors import UserError
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
    """The rows of data/clean.parquet.

    Raises UserError for a missing or wrong table, and if no image is kept or a kept one has no variety or
    group.
    """
    table = read_table(path, CLEAN, list(CleanedImage._fields))
    images = [CleanedImage(**row) for row in table.to_pylist()]
    kept = [image for image in images if image.keep]
    if not kept:
        raise UserError(f"'{path}' keeps no image; look at its column 'reasons' and relax the rules.")
    for image in kept:
        if not image.variety or not image.group_id:
            raise UserError(
                f"'{path}': image {image.sha256} is kept without a variety or a group; "
                "set its variety in labels/decisions.csv or drop it there."
            )
    return images


def read_split_table(path: Path) -> list[SplitImage]:
    """The rows of data/split.parquet. Raises UserError for a missing or wrong table."""
    table = read_table(path, SPLIT, list(SplitImage._fields))
    return [SplitImage(**row) for row in table.to_pylist()]
