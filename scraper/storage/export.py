"""The tables of a crawl, written from its state."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from gemkit.tables import write_stream
from scraper.http.urls import file_name
from scraper.storage.crawl_state import State
from scraper.tables import IMAGES, PRODUCTS

_ROWS = 10_000


def write(site: str, folder: Path, state: State) -> None:
    """Write `images.parquet` and `products.parquet` of all that is known so far."""
    images = ({**row, "site": site, "file_name": file_name(row["image_url"])} for row in state.image_rows())
    products = ({**row, "site": site} for row in state.product_rows())
    write_stream(folder / "images.parquet", IMAGES, _pieces(images, IMAGES))
    write_stream(folder / "products.parquet", PRODUCTS, _pieces(products, PRODUCTS))


def _pieces(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> Iterator[pa.Table]:
    rows = iter(rows)
    while piece := list(islice(rows, _ROWS)):
        yield pa.Table.from_pylist(piece, schema)
