"""Store a large table as a folder of Parquet shards: few enough for DVC, small enough to stream."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gemkit.tables import IMAGE_ROW_GROUP

SHARD_ROWS = 10_000

#: Fast Zstandard level: encoded images share little beyond their headers, so more effort gains nothing.
_ZSTD_LEVEL = -3


class ShardWriter:
    """Writes rows to `<prefix>00000.parquet`, `<prefix>00001.parquet`, … in a folder, SHARD_ROWS to each."""

    def __init__(self, folder: Path, schema: pa.Schema, prefix: str = ""):
        self._folder, self._schema, self._prefix = folder, schema, prefix
        self._buffer: list[dict[str, Any]] = []
        self._file: pq.ParquetWriter | None = None
        self._files = self._rows = 0

    def __enter__(self) -> "ShardWriter":
        return self

    def write(self, row: dict[str, Any]) -> None:
        """Add one row."""
        self._buffer.append(row)
        self._rows += 1
        if len(self._buffer) == IMAGE_ROW_GROUP or self._rows == SHARD_ROWS:
            self._flush()
        if self._rows == SHARD_ROWS:
            self._close_file()

    def _flush(self) -> None:
        if not self._buffer:
            return
        if self._file is None:
            path = self._folder / f"{self._prefix}{self._files:05d}.parquet"
            self._file = pq.ParquetWriter(
                path, self._schema, compression="zstd", compression_level=_ZSTD_LEVEL
            )
            self._files += 1
        self._file.write_table(pa.Table.from_pylist(self._buffer, self._schema))
        self._buffer.clear()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._rows = None, 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        self._close_file()


@contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """A temporary folder next to `path` that replaces it when the block succeeds."""
    temporary = path.with_name(f".{path.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
