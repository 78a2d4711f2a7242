"""The file of a crawl's state: SQLite, rebuilt from the tables of an earlier crawl when it is lost."""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from gemkit.errors import UserError
from gemkit.tables import read_table
from scraper.tables import IMAGES, PRODUCTS

#: Raise it when the schema changes.
_VERSION = 2

_SCHEMA = """
CREATE TABLE runs (id INTEGER PRIMARY KEY, started REAL, finished REAL);
CREATE TABLE pages (
    role TEXT, url TEXT, run INTEGER, status TEXT, reason TEXT, etag TEXT, last_modified TEXT, readers TEXT,
    found TEXT, PRIMARY KEY (role, url)
) WITHOUT ROWID;
CREATE TABLE images (
    image_url TEXT PRIMARY KEY, run INTEGER, listed INTEGER, status TEXT, reason TEXT, sha256 TEXT, path TEXT,
    store_classes TEXT, product_ids TEXT, page_urls TEXT, content_type TEXT, bytes INTEGER, width INTEGER,
    height INTEGER, etag TEXT, last_modified TEXT, first_seen INTEGER, fetched_at INTEGER, gone_at INTEGER
) WITHOUT ROWID;
CREATE INDEX pending ON images (run);
CREATE TABLE products (
    page_url TEXT, store_class TEXT, product_id TEXT, title TEXT, attributes TEXT,
    PRIMARY KEY (page_url, store_class)
) WITHOUT ROWID;
CREATE TABLE hosts (
    host TEXT PRIMARY KEY, rate REAL, settled INTEGER, searched REAL, blocked_until REAL, reason TEXT
);
"""

#: Columns that contain a JSON list.
LISTS = ("store_classes", "product_ids", "page_urls")


class Database:
    """The connection to one crawl's state; a failed write is a UserError that names the file.

    If the file is missing (or not ours), it is rebuilt from the tables in `folder`.
    """

    def __init__(self, path: Path, folder: Path):
        self._path = path
        with self.named_errors():
            self.connection = _open(path, folder)

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def execute(self, statement: str, values: Any = ()) -> sqlite3.Cursor:
        """Run a read, or a write within `transaction`."""
        return self.connection.execute(statement, values)

    def executemany(self, statement: str, rows: Iterable[Any]) -> None:
        """Run the same write for each of the rows, within `transaction`."""
        self.connection.executemany(statement, rows)

    def write(self, statement: str, values: Any) -> None:
        """Run a write that is a transaction of its own."""
        with self.named_errors():
            self.connection.execute(statement, values)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block's writes or none."""
        with self.named_errors(), _transaction(self.connection):
            yield

    @contextmanager
    def named_errors(self) -> Iterator[None]:
        """Turn SQLite's errors into a UserError that names the file."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"Cannot write '{self._path}': {error}. Free or unlock the disk (or delete the file: it is "
                "rebuilt from data/raw), then run the same command again."
            ) from error


def _open(path: Path, folder: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    for fresh in (False, True):
        if fresh:
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        database = sqlite3.connect(path, isolation_level=None)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            (version,) = database.execute("PRAGMA user_version").fetchone()
        except sqlite3.DatabaseError as error:
            database.close()
            if isinstance(error, sqlite3.OperationalError) or fresh:
                raise
            continue
        if version == _VERSION:
            return database
        if version == 0 and not database.execute("SELECT 1 FROM sqlite_master").fetchone():
            break
        database.close()
    with _transaction(database):
        for statement in _SCHEMA.split(";"):
            database.execute(statement)
        _restore(database, folder)
        database.execute(f"PRAGMA user_version = {_VERSION}")
    return database


def now_ms() -> int:
    """The wall clock time in milliseconds, as the tables store it."""
    return round(time.time() * 1000)


def read_only(path: Path) -> sqlite3.Connection:
    """A read-only connection to an existing file, which a crawl may be writing at the same time."""
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


def _restore(database: sqlite3.Connection, folder: Path) -> None:
    """Restore what the tables of an earlier crawl contain."""
    if (folder / "images.parquet").exists():
        for row in _rows(read_table(folder / "images.parquet", IMAGES)):
            values = {
                **row,
                **{name: json.dumps(row[name] or []) for name in LISTS},
                "run": 0,
                "listed": 0,
            }
            del values["site"], values["file_name"]
            _insert(database, "images", values)
    if (folder / "products.parquet").exists():
        for row in _rows(read_table(folder / "products.parquet", PRODUCTS)):
            del row["site"]
            if row["page_url"] is not None:
                _insert(database, "products", row)


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _insert(database: sqlite3.Connection, table: str, values: dict[str, Any]) -> None:
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    database.execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", values)


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Rows with times in milliseconds."""
    times = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
    for name in times:
        table = table.set_column(table.schema.get_field_index(name), name, table[name].cast(pa.int64()))
    for batch in table.to_batches():
        yield from batch.to_pylist()
