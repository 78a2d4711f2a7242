"""Parquet tables whose schema is checked on read. Writes are atomic and deterministic byte for byte."""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from gemkit.errors import UserError

#: Completes "run …" for a table whose writer is not known here.
_ITS_STAGE = "the stage that writes it (dvc repro)"

#: Rows in a row group of images: small enough to decode in one worker.
IMAGE_ROW_GROUP = 256

#: Hugging Face's `Image` feature: encoded bytes, and a file name for display.
IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def hugging_face_schema(schema: pa.Schema, image_column: str = "image") -> pa.Schema:
    """The schema with the metadata that makes `datasets.load_dataset("parquet", …)` show the image column."""
    info = {"info": {"features": {image_column: {"_type": "Image"}}}}
    return schema.with_metadata({"huggingface": json.dumps(info)})


def read_table(
    path: Path, schema: pa.Schema, columns: list[str] | None = None, written_by: str = _ITS_STAGE
) -> pa.Table:
    """Read a Parquet file, or all `*.parquet` files of a folder sorted by name, and check the schema.

    `columns` selects columns, and only those are checked; `written_by` is what an error says to run. Raises
    UserError that names the file, the column and the expected type.
    """
    files = table_files(path, written_by)
    tables = [_read_checked(file, schema, columns, written_by) for file in files]
    return pa.concat_tables(tables)


def table_files(path: Path, written_by: str = _ITS_STAGE) -> list[Path]:
    """The Parquet files of a table: the file itself, or those of the folder sorted by name."""
    if path.is_dir():
        files = sorted(path.glob("*.parquet"))
        if not files:
            raise UserError(f"No Parquet file in '{path}'; run {written_by}.")
        return files
    if not path.exists():
        raise UserError(f"Table '{path}' does not exist; run {written_by}.")
    return [path]


def read_rows(
    path: Path, schema: pa.Schema, columns: list[str] | None = None, rows: int = IMAGE_ROW_GROUP
) -> Iterator[pa.RecordBatch]:
    """Stream a table in batches of at most `rows` rows; checked like `read_table`."""
    for file in table_files(path):
        with _named_errors(file, _ITS_STAGE), pq.ParquetFile(file) as parquet:
            _check(file, parquet.schema_arrow, schema, columns, _ITS_STAGE)
            yield from parquet.iter_batches(batch_size=rows, columns=columns)


def _read_checked(file: Path, schema: pa.Schema, columns: list[str] | None, written_by: str) -> pa.Table:
    with _named_errors(file, written_by), pq.ParquetFile(file) as parquet:
        _check(file, parquet.schema_arrow, schema, columns, written_by)
        return parquet.read(columns=columns).replace_schema_metadata(None)


@contextmanager
def _named_errors(file: Path, written_by: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise UserError(
            f"'{file}' is not a complete Parquet file ({str(error).splitlines()[0]}); "
            f"delete it and run {written_by}."
        ) from error


def _check(
    file: Path, found: pa.Schema, expected: pa.Schema, columns: list[str] | None, written_by: str
) -> None:
    for field in expected if columns is None else (expected.field(name) for name in columns):
        index = found.get_field_index(field.name)
        if index < 0:
            raise UserError(
                f"'{file}' has no column '{field.name}' ({_short(field.type)} expected); run {written_by}."
            )
        if not _same_type(found.field(index).type, field.type):
            raise UserError(
                f"'{file}': column '{field.name}' is {_short(found.field(index).type)}, "
                f"{_short(field.type)} expected; run {written_by}."
            )


def _short(kind: pa.DataType) -> str:
    if pa.types.is_struct(kind):
        return f"struct of {kind.num_fields} fields"
    return f"list of {_short(kind.value_type)}" if pa.types.is_list(kind) else str(kind)


def _same_type(found: pa.DataType, expected: pa.DataType) -> bool:
    # Parquet may name a list's inner field 'element' or 'item', so compare only its type.
    if pa.types.is_list(found) and pa.types.is_list(expected):
        return _same_type(found.value_type, expected.value_type)
    return bool(found.equals(expected))


def write_table(path: Path, table: pa.Table, row_group_size: int | None = None) -> None:
    """Write a Parquet file atomically: it gets its final name once it is complete."""
    write_stream(path, table.schema, [table], row_group_size)


def write_stream(
    path: Path,
    schema: pa.Schema,
    tables: Iterable[pa.Table | pa.RecordBatch],
    row_group_size: int | None = None,
) -> None:
    """Write a table piece by piece; each piece becomes at least one row group."""
    with replaced(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for piece in tables:
            table = pa.Table.from_batches([piece]) if isinstance(piece, pa.RecordBatch) else piece
            writer.write_table(table.cast(schema), row_group_size=row_group_size)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: it gets its final name once it is complete."""
    with replaced(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write a text file (UTF-8) atomically."""
    write_bytes(path, content.encode())


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A temporary path next to `path` that is fsynced and renamed to `path` when the block succeeds.

    DVC may have turned the file at `path` into a read-only link to its cache: it is replaced, never edited.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.filename in (None, name):  # pyarrow names no file, and the temporary one is gone
            error.filename = str(path)
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
