"""The file of a crawl's state: SQLite, rebuilt from the tables of an earlier crawl when it is lost."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from gemkit.errors import UserError
from gemkit.tables import read_table
from scraper.tables import IMAGES, PRODUCTS, ReasonKind

#: Raise it when the schema changes, and migrate from the version before.
VERSION, _OLDEST = 7, 2

_SCHEMA = """
CREATE TABLE runs (id INTEGER PRIMARY KEY, started REAL, finished REAL, pages_read REAL);
CREATE TABLE pages (
    role TEXT, url TEXT, run INTEGER, status TEXT, reason TEXT, reason_kind TEXT, etag TEXT,
    last_modified TEXT, parser TEXT, content TEXT, attempts INTEGER NOT NULL DEFAULT 0,
    doubted REAL, PRIMARY KEY (role, url)
) WITHOUT ROWID;
CREATE TABLE images (
    image_url TEXT PRIMARY KEY, run INTEGER, listed INTEGER, status TEXT, reason TEXT, reason_kind TEXT,
    sha256 TEXT, path TEXT, store_classes TEXT, product_ids TEXT, page_urls TEXT, content_type TEXT,
    bytes INTEGER, width INTEGER, height INTEGER, etag TEXT, last_modified TEXT, first_seen INTEGER,
    fetched_at INTEGER, gone_at INTEGER, first_run INTEGER, gone_run INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX pending ON images (run);
CREATE TABLE products (
    page_url TEXT, store_class TEXT, product_id TEXT, title TEXT, attributes TEXT,
    PRIMARY KEY (page_url, store_class)
) WITHOUT ROWID;
CREATE TABLE hosts (
    host TEXT PRIMARY KEY, rate REAL, converged INTEGER, searched REAL, blocked_until REAL, reason TEXT,
    reason_kind TEXT
);
"""

#: Statements that bring a database of a version to the next one.
_MIGRATIONS = {
    2: f"""
ALTER TABLE pages RENAME COLUMN readers TO parser;
ALTER TABLE pages RENAME COLUMN found TO content;
ALTER TABLE hosts RENAME COLUMN settled TO converged;
ALTER TABLE pages ADD COLUMN reason_kind TEXT;
ALTER TABLE images ADD COLUMN reason_kind TEXT;
ALTER TABLE hosts ADD COLUMN reason_kind TEXT;
UPDATE pages SET reason_kind = '{ReasonKind.UNKNOWN}' WHERE reason IS NOT NULL;
UPDATE images SET reason_kind = '{ReasonKind.UNKNOWN}' WHERE reason IS NOT NULL;
UPDATE hosts SET reason_kind = '{ReasonKind.UNKNOWN}' WHERE reason IS NOT NULL
""",
    3: """
ALTER TABLE images ADD COLUMN first_run INTEGER;
ALTER TABLE images ADD COLUMN gone_run INTEGER;
UPDATE images SET
    first_run = (SELECT coalesce(max(id), 0) FROM runs WHERE started * 1000 <= first_seen),
    gone_run = (SELECT max(id) FROM runs WHERE started * 1000 <= gone_at)
""",
    4: """
ALTER TABLE pages ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE images ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0
""",
    5: "ALTER TABLE runs ADD COLUMN pages_read REAL",
    6: "ALTER TABLE pages ADD COLUMN doubted REAL",
}

#: Columns that contain a JSON list.
LISTS = ("store_classes", "product_ids", "page_urls")

#: The values of one row by column.
Row = dict[str, object]

_Values = Sequence[object] | Row


class Database:
    """The connection to one crawl's state; a failed write is a UserError that names the file.

    If the file is missing (or not ours), it is rebuilt from the tables in `folder`.
    """

    def __init__(self, path: Path, folder: Path):
        self._path, self._folder = path, folder
        with self.named_errors():
            self.connection = _open(path, folder)

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def execute(self, statement: str, values: _Values = ()) -> sqlite3.Cursor:
        """Run a read, or a write within `transaction`."""
        return self.connection.execute(statement, values)

    def executemany(self, statement: str, rows: Iterable[_Values]) -> None:
        """Run the same write for each of the rows, within `transaction`."""
        self.connection.executemany(statement, rows)

    def write(self, statement: str, values: _Values) -> None:
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
                f"rebuilt from '{self._folder}'), then run the same command again."
            ) from error


def _open(path: Path, folder: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    database = _existing(path)
    if database is None:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        database = _connect(path)
        with _transaction(database):
            for statement in _SCHEMA.split(";"):
                database.execute(statement)
            _restore(database, folder)
            _request_unknown_again(database)
            database.execute(f"PRAGMA user_version = {VERSION}")
    elif _version(database) < VERSION:
        with _transaction(database):
            _migrate(database)
            _request_unknown_again(database)
    return database


def _existing(path: Path) -> sqlite3.Connection | None:
    """The database in an existing file; None if there is none that this version can continue."""
    database = None
    try:
        database = _connect(path)
        if _OLDEST <= _version(database) <= VERSION:
            return database
    except sqlite3.OperationalError:
        if database is not None:
            database.close()
        raise
    except sqlite3.DatabaseError:
        pass  # not a database
    if database is not None:
        database.close()
    return None


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.DatabaseError:
        database.close()
        raise
    return database


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _migrate(database: sqlite3.Connection) -> None:
    """Bring a database of an earlier version to this one."""
    for version in range(_version(database), VERSION):
        for statement in _MIGRATIONS[version].split(";"):
            database.execute(statement)
    database.execute(f"PRAGMA user_version = {VERSION}")


def _request_unknown_again(database: sqlite3.Connection) -> None:
    """Request again, in full, what failed for a reason of unknown kind."""
    database.execute("UPDATE pages SET run = 0 WHERE reason_kind = ?", [ReasonKind.UNKNOWN])
    database.execute(
        "UPDATE images SET run = 0, etag = CASE WHEN sha256 IS NOT NULL THEN etag END, "
        "last_modified = CASE WHEN sha256 IS NOT NULL THEN last_modified END WHERE reason_kind = ?",
        [ReasonKind.UNKNOWN],
    )


def read_only(path: Path) -> sqlite3.Connection:
    """A read-only connection to an existing file, which a crawl may be writing at the same time.

    Of a file of an earlier version it is a migrated copy in memory.
    """
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    if not _OLDEST <= _version(database) < VERSION:
        return database
    copy = sqlite3.connect(":memory:", isolation_level=None)
    with closing(database):
        database.backup(copy)
    _migrate(copy)
    return copy


def _restore(database: sqlite3.Connection, folder: Path) -> None:
    """Restore what the tables of an earlier crawl contain."""
    if (folder / "images.parquet").exists():
        for row in _rows(_read_images(folder / "images.parquet")):
            if row["reason"] is not None and row.get("reason_kind") is None:
                row["reason_kind"] = ReasonKind.UNKNOWN
            lists = {name: json.dumps(row[name] or []) for name in LISTS}
            del row["site"], row["file_name"]
            _insert(database, "images", {**row, **lists, "run": 0, "listed": 0, "first_run": 0})
    if (folder / "products.parquet").exists():
        for row in _rows(read_table(folder / "products.parquet", PRODUCTS)):
            del row["site"]
            if row["page_url"] is not None:
                _insert(database, "products", row)


def _read_images(path: Path) -> pa.Table:
    """All columns, or all but `reason_kind` if an earlier version wrote the table."""
    table = read_table(path, IMAGES, [name for name in IMAGES.names if name != "reason_kind"])
    return read_table(path, IMAGES) if "reason_kind" in pq.read_schema(path).names else table


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _insert(database: sqlite3.Connection, table: str, values: Row) -> None:
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    database.execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", values)


def _rows(table: pa.Table) -> Iterator[Row]:
    """Rows with times in milliseconds."""
    times = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
    for name in times:
        table = table.set_column(table.schema.get_field_index(name), name, table[name].cast(pa.int64()))
    for batch in table.to_batches():
        yield from batch.to_pylist()
