"""The distinct images of all sites, joined with what was measured on them: what the rules look at."""

from collections import defaultdict
from collections.abc import Collection
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from curation.tables import MEASURED
from curation.taxonomy import Label
from gemkit.errors import UserError
from gemkit.tables import read_table
from scraper.tables import IMAGES

RAW = Path("data/raw")
MEASURED_FOLDER = Path("data/measured")


class Inventory:
    """One entry per distinct stored image, sorted by sha256.

    `classes`, `file_names` and `products` ("site/product_id") hold all under which stores list an image.
    What was found so far stands in `dropped` (by a person or by a rule on the image alone), `copy_of` (index
    of the better copy that stays for it, its own where it stays), `alike` (pairs that show the same picture)
    and, for the rules on labels, `labels`.
    """

    def __init__(
        self,
        sha256: list[str],
        site: list[str],
        path: list[str],
        classes: list[frozenset[str]],
        file_names: list[list[str]],
        products: list[list[str]],
        measured: pa.Table,
    ):
        self.sha256, self.site, self.path = sha256, site, path
        self.classes, self.file_names, self.products = classes, file_names, products
        self.measured = measured
        self.dropped = np.zeros(len(sha256), bool)
        self.copy_of = np.arange(len(sha256))
        self.alike: list[np.ndarray] = []
        self.labels: list[Label] = []

    def __len__(self) -> int:
        return len(self.sha256)

    def numbers(self, column: str) -> np.ndarray:
        """A numeric column of MEASURED as float64, NaN where the image could not be decoded."""
        return self.measured[column].cast(pa.float64()).to_numpy()

    def words(self, column: str) -> np.ndarray:
        """A text column of MEASURED as objects, None where there is nothing."""
        return self.measured[column].to_numpy()

    def colours(self, column: str) -> np.ndarray:
        """A Lab column of MEASURED, count × 3, NaN where the image could not be decoded."""
        values = [value or [float("nan")] * 3 for value in self.measured[column].to_pylist()]
        return np.array(values, np.float64).reshape(-1, 3)

    def codes(self, column: str) -> np.ndarray:
        """A hash column of MEASURED, count × words, uint64; 0 where the image could not be decoded."""
        size = MEASURED.field(column).type.byte_width
        content = b"".join(value or bytes(size) for value in self.measured[column].to_pylist())
        return np.frombuffer(content, np.uint64).reshape(-1, size // 8)

    @cached_property
    def decoded(self) -> np.ndarray:
        """Which images could be decoded."""
        return np.array([error is None for error in self.words("error")], bool)

    @cached_property
    def rank(self) -> np.ndarray:
        """Place of each image in order of quality: largest, then least compressed, then by sha256."""
        pixels = np.nan_to_num(self.numbers("width") * self.numbers("height"))
        order = np.lexsort((np.arange(len(self)), -self.numbers("bytes"), -pixels))
        rank = np.empty(len(self), np.int64)
        rank[order] = np.arange(len(self))
        return rank


def read_inventory(sites: Collection[str]) -> Inventory:
    """Join the raw tables of the sites with their measurements.

    Raises UserError when a table is missing or an image has not been measured.
    """
    places: dict[str, tuple[str, str]] = {}
    classes: defaultdict[str, set[str]] = defaultdict(set)
    names: defaultdict[str, set[str]] = defaultdict(set)
    products: defaultdict[str, set[str]] = defaultdict(set)
    measured = []
    columns = ["sha256", "path", "store_classes", "file_name", "product_ids"]
    for site in sorted(sites):
        table = read_table(RAW / site / "images.parquet", IMAGES, columns)
        for sha256, path, listed, name, ids in zip(*(table[c].to_pylist() for c in columns), strict=True):
            if not (sha256 and path):
                continue
            places.setdefault(sha256, (site, f"{site}/{path}"))
            classes[sha256].update(listed or ())
            names[sha256].update([name] if name else ())
            products[sha256].update(f"{site}/{number}" for number in ids or ())
        measured.append(read_table(MEASURED_FOLDER / f"{site}.parquet", MEASURED))
    images = sorted(places)
    return Inventory(
        images,
        [places[sha256][0] for sha256 in images],
        [places[sha256][1] for sha256 in images],
        [frozenset(classes[sha256]) for sha256 in images],
        [sorted(names[sha256]) for sha256 in images],
        [sorted(products[sha256]) for sha256 in images],
        _aligned(pa.concat_tables(measured), images, {image: places[image][0] for image in images}),
    )


def _aligned(measured: pa.Table, images: list[str], sites: dict[str, str]) -> pa.Table:
    """The row of each image, in order."""
    rows = {sha256: row for row, sha256 in enumerate(measured["sha256"].to_pylist())}
    for sha256 in images:
        if sha256 not in rows:
            raise UserError(
                f"'{MEASURED_FOLDER / sites[sha256]}.parquet' lacks image {sha256[:12]}; "
                f"run 'gemcurate measure --site {sites[sha256]}'."
            )
    return measured.take(pa.array([rows[sha256] for sha256 in images], pa.int64()))
