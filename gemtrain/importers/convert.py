"""Convert a source of images to a dataset: decoded in workers, without copies, split."""

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gemkit.arrays import Bytes
from gemkit.errors import UserError
from gemkit.executor.base import GivenUp, Limits
from gemkit.executor.local import map_in_order
from gemkit.progress import Progress
from gemkit.tables import write_stream
from gemtrain.data.undecodable import MAX_UNDECODABLE, UndecodableImages
from gemtrain.importers.assign_splits import LabelledImage, SplitAssignment, assign
from gemtrain.importers.normalise import NormalisedImage, Undecodable, normalise
from gemtrain.importers.source import Record, Source
from gemtrain.tables import DATASET, SPLITS

#: The size of a row group of a Parquet file: whichever limit is reached first.
_ROWS, _BYTES = 256, 32 * 2**20

#: Results that may wait for those of earlier images, bytes.
_WAITING_BYTES = 2**28

#: This many undecodable images are tolerated, however few images there are in total.
_FEW_UNDECODABLE = 5

#: The images before they are assigned to splits, in the order of the source.
_IMAGES = pa.schema(
    [
        ("content", pa.binary()),
        ("location", pa.string()),
        ("variety", pa.string()),
        ("split", pa.string()),
        ("sha256", pa.string()),
        ("pixel_hash", pa.binary()),
    ]
)


def convert(
    source: Source, path: Path, name: str, folder: Path
) -> tuple[SplitAssignment, list[str], UndecodableImages]:
    """Write the files of DATASET for the data at `path`; returns splits, classes and undecodable images.

    Each image is its own group, as it has no copies. Memory holds only some images at a time. Raises
    UserError when too many cannot be decoded or a class has too few.
    """
    images, undecodable = folder / "images.parquet", UndecodableImages()
    with Progress(f"import {name}", source.count) as progress:
        write_stream(images, _IMAGES, _pieces(_rows(source, undecodable, progress), _IMAGES))
    count = pq.read_metadata(images).num_rows
    _check_undecodable(undecodable, count, path)
    columns = ["variety", "split", "pixel_hash"]
    table = pq.read_table(images, columns=columns)
    assignment = assign(
        [LabelledImage(*row) for row in zip(*(table[column].to_pylist() for column in columns), strict=True)],
        str(path),
    )
    varieties = sorted(
        {v for v, split in zip(table["variety"].to_pylist(), assignment.splits, strict=True) if split}
    )
    for split in SPLITS:
        write_stream(
            folder / f"{split}-00000.parquet",
            DATASET,
            _split_rows(images, assignment.splits, split, varieties),
        )
    images.unlink()
    return assignment, varieties, undecodable


def _rows(source: Source, undecodable: UndecodableImages, progress: Progress) -> Iterator[dict[str, Any]]:
    """The rows of _IMAGES, in the order of the source; an image may kill the worker that decodes it."""
    records: deque[Record] = deque()

    def contents() -> Iterator[Path | bytes | Bytes]:
        for record in source.records():
            records.append(record._replace(content=b""))
            yield record.content

    for result in map_in_order(normalise, contents(), Limits(), _WAITING_BYTES, _size):
        record = records.popleft()
        progress.advance()
        if isinstance(result, NormalisedImage):
            yield {
                "content": result.content,
                "location": record.location,
                "variety": record.variety,
                "split": record.split,
                "sha256": result.sha256,
                "pixel_hash": result.pixel_hash,
            }
        else:
            reason = f"it {result.reason}" if isinstance(result, GivenUp) else result.text
            undecodable.append(f"{record.location}: {reason}")


def _size(result: NormalisedImage | Undecodable | GivenUp) -> int:
    return len(result.content) if isinstance(result, NormalisedImage) else 0


def _pieces(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows as tables that fit into memory."""
    buffer: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        buffer.append(row)
        size += len(row["content"])
        if len(buffer) == _ROWS or size >= _BYTES:
            yield pa.Table.from_pylist(buffer, schema)
            buffer, size = [], 0
    yield pa.Table.from_pylist(buffer, schema)


def _split_rows(
    images: Path, splits: list[str | None], split: str, varieties: list[str]
) -> Iterator[pa.Table]:
    """The rows of DATASET in one split."""
    labels = pa.array(varieties)
    with pq.ParquetFile(images) as parquet:
        start = 0
        for group in range(parquet.num_row_groups):
            table = parquet.read_row_group(group).combine_chunks()
            chosen = [found == split for found in splits[start : start + len(table)]]
            start += len(table)
            if not any(chosen):
                continue
            table = table.filter(pa.array(chosen)).combine_chunks()
            count = len(table)
            columns = {
                column: table[column].chunk(0) for column in ("content", "location", "variety", "sha256")
            }
            yield pa.table(
                {
                    "image": pa.StructArray.from_arrays(
                        [columns["content"], columns["location"]], ["bytes", "path"]
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


def _check_undecodable(undecodable: UndecodableImages, intact: int, path: Path) -> None:
    count = len(undecodable) + intact
    if not count:
        raise UserError(f"'{path}' contains no image with a label; give another folder or file.")
    if not intact:
        raise UserError(f"'{path}': none of its {count} images can be decoded ({undecodable}).")
    if len(undecodable) > max(_FEW_UNDECODABLE, MAX_UNDECODABLE * count):
        raise UserError(
            f"'{path}': {len(undecodable)} of {count} images cannot be decoded, more than "
            f"{MAX_UNDECODABLE:.0%} ({undecodable}); replace or remove them."
        )
