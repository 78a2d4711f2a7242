"""The distinct images of all sites joined with their measurements: the input of the cleaning rules."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.cleaning.content_classifier import MEASURED_INPUTS, ContentPredictions
from curation.cleaning.hamming_search import Codes
from curation.cleaning.measurements import MeasuredImages
from curation.tables import MEASURED
from gemkit.arrays import Array, Bools, Bytes, Floats, Ints
from gemkit.errors import UserError
from gemkit.project import Project
from gemkit.tables import read_table
from scraper.tables import IMAGES


@dataclass(frozen=True, eq=False)
class ImageTable(MeasuredImages):
    """One entry per distinct stored image, sorted by sha256.

    `classes`, `file_names` and `products` ("site/product_id") hold everything under which stores list an
    image; `measured` holds its row of MEASURED.
    """

    sha256: list[str]
    site: list[str]
    path: list[str]
    classes: list[frozenset[str]]
    file_names: list[list[str]]
    products: list[list[str]]
    measured: pa.Table

    def fields(self, column: str) -> dict[str, Floats]:
        """The fields of a struct column of MEASURED, each as in `floats`."""
        names = [field.name for field in MEASURED.field(column).type]
        values = self.measured[column].flatten()
        return {name: part.cast(pa.float64()).to_numpy() for name, part in zip(names, values, strict=True)}

    def strings(self, column: str) -> Array:
        """A text column of MEASURED as objects, None where it is null."""
        values: Array = self.measured[column].to_numpy()
        return values

    def vectors(self, column: str, length: int = 3) -> Floats:
        """A list column of MEASURED (Lab colours, boxes) as count × length, NaN where it is null."""
        values = np.full((len(self), length), np.nan)
        valid = self.measured[column].is_valid().to_numpy()
        values[valid] = self.measured[column].combine_chunks().flatten().to_numpy().reshape(-1, length)
        return values

    def hashes(self, column: str) -> Codes:
        """A hash column of MEASURED as count × words; 0 where the image could not be decoded."""
        return self._bytes(column).view(np.uint64)

    @cached_property
    def thumbnails(self) -> Bytes:
        """The column `thumbnail` as count × side × side × 3, uint8, RGB; black where it is null."""
        content = self._bytes("thumbnail")
        side = math.isqrt(content.shape[1] // 3)
        return content.reshape(-1, side, side, 3)

    def _bytes(self, column: str) -> Bytes:
        """A fixed-size binary column as count × length, uint8; zeros where it is null."""
        size = MEASURED.field(column).type.byte_width
        values = self.measured[column].fill_null(bytes(size)).combine_chunks()
        content = np.frombuffer(values.buffers()[1], np.uint8)
        return content[values.offset * size : (values.offset + len(values)) * size].reshape(-1, size)

    @cached_property
    def content_predictions(self) -> ContentPredictions:
        """The classes that the content classifier predicts for each image."""
        numbers = {name: self.floats(name) for name in MEASURED_INPUTS} | self.fields("shape_features")
        lengths = {"background_lab": 3, "stone_box": 4}
        vectors = {name: self.vectors(name, length) for name, length in lengths.items()}
        return ContentPredictions(numbers | vectors)

    @cached_property
    def has_text(self) -> Bools:
        """Which images have readable text on them."""
        return np.array([text is not None for text in self.strings("text")], bool)

    @cached_property
    def decoded(self) -> Bools:
        """Which images could be decoded."""
        return np.array([error is None for error in self.strings("error")], bool)

    @cached_property
    def rank(self) -> Ints:
        """Rank of each image by quality, best first: largest, then least compressed, then by sha256."""
        pixels = np.nan_to_num(self.floats("width") * self.floats("height"))
        order = np.lexsort((np.arange(len(self)), -self.floats("bytes"), -pixels))
        rank = np.empty(len(self), np.int64)
        rank[order] = np.arange(len(self))
        return rank


def read_image_table(project: Project, sites: Collection[str]) -> ImageTable:
    """Join the raw tables of the sites with their measurements.

    Raises UserError when a table is missing or an image has not been measured.
    """
    listings: dict[str, _Listing] = {}
    measured = []
    columns = ["sha256", "path", "store_classes", "file_name", "product_ids"]
    for site in sorted(sites):
        table = read_table(project.raw(site) / "images.parquet", IMAGES, columns)
        for sha256, path, listed, name, ids in zip(*(table[c].to_pylist() for c in columns), strict=True):
            if not (sha256 and path):
                continue
            listing = listings.get(sha256)
            if listing is None:
                listing = listings[sha256] = _Listing(site, f"{site}/{path}", [], [], [])
            listing.classes.extend(listed or ())
            listing.names.extend([name] if name else ())
            listing.products.extend([f"{site}/{number}" for number in ids or ()])
        written_by = f"'gemcurate measure --site {site}'"
        measured.append(read_table(project.measured(site), MEASURED, written_by=written_by))
    images = sorted(listings)
    found = [listings[sha256] for sha256 in images]
    return ImageTable(
        images,
        [listing.site for listing in found],
        [listing.path for listing in found],
        [frozenset(listing.classes) for listing in found],
        [sorted(set(listing.names)) for listing in found],
        [sorted(set(listing.products)) for listing in found],
        _rows_of(images, pa.concat_tables(measured), [listing.site for listing in found], project),
    )


class _Listing(NamedTuple):
    """Where an image was first found, and everything ever listed with it, including repeats."""

    site: str
    path: str
    classes: list[str]
    names: list[str]
    products: list[str]


def _rows_of(images: list[str], measured: pa.Table, sites: list[str], project: Project) -> pa.Table:
    """The row of each image, in order."""
    wanted = pa.array(images, pa.string())
    rows = pc.index_in(wanted, measured["sha256"].combine_chunks())
    if rows.null_count:
        missing = pc.index(rows.is_null(), True).as_py()
        raise UserError(
            f"'{project.measured(sites[missing])}' lacks image {images[missing][:12]}; "
            f"run 'gemcurate measure --site {sites[missing]}'."
        )
    return measured.take(rows)
