"""The distinct images of data/clean.parquet, joined with the stores' listings and the measurements."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curation.cleaning.measurements import NUMERIC_COLUMNS, MeasuredImages
from curation.cleaning.reasons import Reason
from curation.tables import CLEAN, MEASURED
from curation.taxonomy.taxonomy import Taxonomy
from gemkit.arrays import Bools
from gemkit.project import Project
from gemkit.tables import read_table
from scraper.tables import IMAGES


def notes_on(reason: Reason) -> list[str]:
    """Value, threshold and text of a reason, for people; the SHA-256 of another image is shortened."""
    text, other = reason.text, reason.other_sha256
    if other:
        text = text.replace(other, f"{other[:8]}…")
    return [note for note in (describe_value(reason.value, reason.threshold), text) if note]


def describe_value(value: float | None, threshold: float | None) -> str:
    """A value and its threshold, for people; empty if there are none."""
    if value is None or threshold is None:
        return ""
    return f"value {value:.3g}, threshold {threshold:.3g}"


@dataclass(frozen=True)
class Images(MeasuredImages):
    """One entry per image of data/clean.parquet, in its order (by sha256).

    `listed`: data/raw/<site>/images.parquet by site, for the sites that have one; `measured`: the numeric
    columns, `error` and `format` of MEASURED for each image, null if it was not measured.
    """

    sha256: list[str]
    site: list[str]
    path: list[str]
    variety: list[str | None]
    products: list[list[str]]
    group_id: list[str]
    keep: Bools
    reasons: list[Reason]
    listed: dict[str, pa.Table]
    missing_sites: list[str]
    measured: pa.Table
    taxonomy: Taxonomy
    project: Project

    def file(self, row: int) -> Path:
        """The path of the image."""
        return self.project.image(self.path[row])

    def name(self, row: int) -> str:
        """The display name of an image's class."""
        return self.variety_name(self.variety[row])

    def variety_name(self, key: str | None) -> str:
        """The display name of a variety."""
        if key is None:
            return "no label"
        known = self.taxonomy.varieties.get(key)
        return known.name if known else key

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The index of each sha256."""
        return {sha256: row for row, sha256 in enumerate(self.sha256)}

    @cached_property
    def reasons_of(self) -> dict[int, list[Reason]]:
        """The reasons by image, for images that have any."""
        found: defaultdict[int, list[Reason]] = defaultdict(list)
        for reason in self.reasons:
            found[reason.row].append(reason)
        return dict(found)

    @cached_property
    def errors(self) -> list[str | None]:
        """Why each image could not be decoded, None if it could."""
        errors: list[str | None] = self.measured["error"].to_pylist()
        return errors

    @cached_property
    def listed_by_product(self) -> set[str]:
        """The sha256 of the images that some product lists."""
        return {
            sha256
            for table in self.listed.values()
            for sha256 in table.filter(pc.greater(pc.list_value_length(table["product_ids"]), 0))[
                "sha256"
            ].to_pylist()
        }

    @cached_property
    def store_classes(self) -> list[set[str]]:
        """The class names under which stores list each image."""
        names: list[set[str]] = [set() for _ in self.sha256]
        for table in self.listed.values():
            pairs = zip(table["sha256"].to_pylist(), table["store_classes"].to_pylist(), strict=True)
            for sha256, classes in pairs:
                if sha256 in self.row_of:
                    names[self.row_of[sha256]].update(classes or ())
        return names


def read_images(project: Project, sites: Collection[str], taxonomy: Taxonomy) -> Images:
    """Read data/clean.parquet and, where they exist, the sites' raw and measured tables.

    Raises UserError when data/clean.parquet is missing, or a table is not of this version.
    """
    columns = ["sha256", "site", "path", "variety", "products", "group_id", "reasons", "keep"]
    table = read_table(project.clean_table, CLEAN, columns, written_by="'gemcurate clean' (dvc repro)")
    raw = {site: project.raw(site) / "images.parquet" for site in sorted(sites)}
    wanted = ["sha256", "status", "reason", "store_classes", "product_ids", "fetched_at"]
    values = {name: table[name].to_pylist() for name in columns if name not in ("reasons", "keep")}
    return Images(
        **values,
        keep=table["keep"].to_numpy(),
        reasons=_reasons(table["reasons"].combine_chunks()),
        listed={site: read_table(path, IMAGES, wanted) for site, path in raw.items() if path.exists()},
        missing_sites=[site for site, path in raw.items() if not path.exists()],
        measured=_measured(project, sites, table["sha256"]),
        taxonomy=taxonomy,
        project=project,
    )


def _reasons(column: pa.ListArray) -> list[Reason]:
    fields = pc.list_flatten(column).flatten()
    rows = pc.list_parent_indices(column).to_pylist()
    return [Reason(*values) for values in zip(rows, *(field.to_pylist() for field in fields), strict=True)]


def _measured(project: Project, sites: Collection[str], sha256: pa.ChunkedArray) -> pa.Table:
    """The measurements of each image, in order."""
    columns = ["sha256", "error", "format", *NUMERIC_COLUMNS]
    paths = [project.measured(site) for site in sorted(sites)]
    tables = [read_table(path, MEASURED, columns) for path in paths if path.exists()]
    everything = pa.concat_tables(tables or [MEASURED.empty_table().select(columns)])
    return everything.take(pc.index_in(sha256, everything["sha256"].combine_chunks()))
