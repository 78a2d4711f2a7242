"""Write the tables of a crawl from its state."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa

from gemkit.tables import write_stream
from scraper.http.urls import file_name
from scraper.storage.crawl_state import CrawlState
from scraper.storage.schema import Row
from scraper.tables import IMAGES, PRODUCTS

_ROWS = 10_000


def write_tables(site: str, folder: Path, state: CrawlState) -> None:
    """Write `images.parquet` and `products.parquet` with everything known so far."""
    images = (
        {**row, "site": site, "file_name": file_name(str(row["image_url"]))} for row in state.images.rows()
    )
    products = ({**row, "site": site} for row in state.products.rows())
    write_stream(folder / "images.parquet", IMAGES, _batches(images, IMAGES))
    write_stream(folder / "products.parquet", PRODUCTS, _batches(products, PRODUCTS))


def _batches(rows: Iterable[Row], schema: pa.Schema) -> Iterator[pa.Table]:
    rows = iter(rows)
    while batch := list(islice(rows, _ROWS)):
        yield pa.Table.from_pylist(batch, schema)
