"""Pictures of a source become a dataset: decoded in workers, their copies left out, each on a side."""

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gemkit.errors import UserError
from gemkit.executor.base import GivenUp, Limits
from gemkit.executor.local import map_in_order
from gemkit.progress import Progress
from gemkit.tables import write_stream
from gemtrain.data.undecodable import MOST_BROKEN, Broken
from gemtrain.importers.assign_splits import Picture, Sides, assign
from gemtrain.importers.normalise import Stored, store
from gemtrain.importers.source import Record, Source
from gemtrain.tables import DATASET, SPLITS

#: A piece of a Parquet file ends with whichever comes first.
_ROWS, _BYTES = 256, 32 * 2**20

#: Results that may wait for those of earlier pictures, bytes.
_WAITING_BYTES = 2**28

#: So many images that cannot be decoded are an accident, however few there are in all.
_FEW_BROKEN = 5

#: Pictures before it is known which side each is on, in the order of the source.
_PICTURES = pa.schema(
    [
        ("content", pa.binary()),
        ("place", pa.string()),
        ("variety", pa.string()),
        ("side", pa.string()),
        ("sha256", pa.string()),
        ("pixel_hash", pa.binary()),
    ]
)


def convert(source: Source, path: Path, name: str, folder: Path) -> tuple[Sides, list[str], Broken]:
    """Write the files of DATASET for what lies at `path`; its sides, its classes, and what is left out.

    A picture's group is itself, as it is there only once. Memory holds some pictures at a time. Raises
    UserError when too many cannot be decoded or a class has too few.
    """
    pictures, broken = folder / "pictures.parquet", Broken()
    with Progress(f"take in {name}", source.count) as progress:
        write_stream(pictures, _PICTURES, _pieces(_rows(source, broken, progress), _PICTURES))
    count = pq.read_metadata(pictures).num_rows
    _check_broken(broken, count, path)
    columns = ["variety", "side", "pixel_hash"]
    table = pq.read_table(pictures, columns=columns)
    sides = assign(
        [Picture(*row) for row in zip(*(table[column].to_pylist() for column in columns), strict=True)],
        str(path),
    )
    varieties = sorted({v for v, side in zip(table["variety"].to_pylist(), sides.sides, strict=True) if side})
    for side in SPLITS:
        write_stream(folder / f"{side}-00000.parquet", DATASET, _side(pictures, sides.sides, side, varieties))
    pictures.unlink()
    return sides, varieties, broken


def _rows(source: Source, broken: Broken, progress: Progress) -> Iterator[dict[str, Any]]:
    """The rows of _PICTURES, in the order of the source; a picture may kill the worker that decodes it."""
    records: deque[Record] = deque()

    def contents() -> Iterator[Path | bytes | np.ndarray]:
        for record in source.records():
            records.append(record._replace(content=b""))
            yield record.content

    for stored in map_in_order(store, contents(), Limits(), _WAITING_BYTES, _size):
        record = records.popleft()
        progress.advance()
        if isinstance(stored, Stored):
            yield {
                "content": stored.content,
                "place": record.place,
                "variety": record.variety,
                "side": record.side,
                "sha256": stored.sha256,
                "pixel_hash": stored.pixel_hash,
            }
        else:
            reason = f"it {stored.reason}" if isinstance(stored, GivenUp) else stored
            broken.append(f"{record.place}: {reason}")


def _size(result: Stored | str | GivenUp) -> int:
    return len(result.content) if isinstance(result, Stored) else 0


def _pieces(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> Iterator[pa.Table]:
    """Rows as tables of a size that memory can hold."""
    buffer: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        buffer.append(row)
        size += len(row["content"])
        if len(buffer) == _ROWS or size >= _BYTES:
            yield pa.Table.from_pylist(buffer, schema)
            buffer, size = [], 0
    yield pa.Table.from_pylist(buffer, schema)


def _side(pictures: Path, sides: list[str | None], side: str, varieties: list[str]) -> Iterator[pa.Table]:
    """The rows of DATASET on one side."""
    labels = pa.array(varieties)
    with pq.ParquetFile(pictures) as parquet:
        start = 0
        for group in range(parquet.num_row_groups):
            table = parquet.read_row_group(group).combine_chunks()
            chosen = [found == side for found in sides[start : start + len(table)]]
            start += len(table)
            if not any(chosen):
                continue
            table = table.filter(pa.array(chosen)).combine_chunks()
            count = len(table)
            columns = {column: table[column].chunk(0) for column in ("content", "place", "variety", "sha256")}
            yield pa.table(
                {
                    "image": pa.StructArray.from_arrays(
                        [columns["content"], columns["place"]], ["bytes", "path"]
                    ),
                    "label": pc.index_in(columns["variety"], labels).cast(pa.int64()),
                    "variety": columns["variety"],
                    "species": pa.nulls(count, pa.string()),
                    "group_id": columns["sha256"],
                    "sha256": columns["sha256"],
                    "rotation": pa.array([0] * count, pa.int32()),
                    "mirrored": pa.array([False] * count),
                },
                schema=DATASET,
            )


def _check_broken(broken: Broken, intact: int, path: Path) -> None:
    count = len(broken) + intact
    if not count:
        raise UserError(f"'{path}' holds no image with a label; name another folder or file.")
    if not intact:
        raise UserError(f"'{path}': none of its {count} images can be decoded ({broken}).")
    if len(broken) > max(_FEW_BROKEN, MOST_BROKEN * count):
        raise UserError(
            f"'{path}': {len(broken)} of {count} images cannot be decoded, more than {MOST_BROKEN:.0%} "
            f"({broken}); replace or remove them."
        )
