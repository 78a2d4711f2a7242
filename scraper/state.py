"""What a crawl knows, in one SQLite file. An item is a transaction: a kill loses only what was in flight.

A *run* is one crawl from the start page to the last image. A crawl that was cut short is taken up in the same
run: an item settled in the run is not asked for again. A finished crawl is followed by a new run, which asks
for everything again, conditionally.
"""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from gemkit.errors import UserError
from gemkit.tables import read_table
from scraper.images import StoredImage
from scraper.pages import Product
from scraper.tables import IMAGES, PRODUCTS

_VERSION = 1

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
CREATE TABLE blocks (host TEXT PRIMARY KEY, until REAL, reason TEXT);
"""

_LISTS = ("store_classes", "product_ids", "page_urls")


@dataclass(frozen=True)
class PageRow:
    """What is known of a page: `found` is JSON of `scraper.pages.Found`, `settled`: in the current run."""

    settled: bool
    status: str
    etag: str | None
    last_modified: str | None
    readers: str
    found: str | None


@dataclass(frozen=True)
class ImageJob:
    """An image to ask for, and what the last run knew of it: `sha256` is there when its file is."""

    url: str
    etag: str | None
    last_modified: str | None
    sha256: str | None
    status: str | None
    reason: str | None

    @property
    def unchanged(self) -> tuple[str, str | None]:
        """Status and reason when the answer has not changed since."""
        return ("invalid", self.reason) if self.status == "invalid" else ("ok", None)


class State:
    """The state of one site's crawl; used from one thread.

    When the file is not there (or not ours), it is begun again from the tables in `folder`.
    """

    def __init__(self, path: Path, folder: Path, site: str):
        self._path, self._folder, self._site = path, folder, site
        with self._named_errors():
            self._database = self._open()
            self.run = self._begin()

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        for fresh in (False, True):
            if fresh:
                for suffix in ("", "-wal", "-shm"):
                    self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            database = sqlite3.connect(self._path, isolation_level=None)
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
            self._restore(database)
            database.execute(f"PRAGMA user_version = {_VERSION}")
        return database

    def _restore(self, database: sqlite3.Connection) -> None:
        """Take over what the tables of an earlier crawl tell."""
        if (self._folder / "images.parquet").exists():
            for row in _rows(read_table(self._folder / "images.parquet", IMAGES)):
                values = {
                    **row,
                    **{name: json.dumps(row[name] or []) for name in _LISTS},
                    "run": 0,
                    "listed": 0,
                }
                del values["site"], values["file_name"]
                _insert(database, "images", values)
        if (self._folder / "products.parquet").exists():
            for row in _rows(read_table(self._folder / "products.parquet", PRODUCTS)):
                del row["site"]
                _insert(database, "products", row)

    def _begin(self) -> int:
        row = self._database.execute("SELECT id FROM runs WHERE finished IS NULL").fetchone()
        if row is not None:
            return int(row[0])
        return int(
            self._database.execute("INSERT INTO runs (started) VALUES (?)", [time.time()]).lastrowid or 0
        )

    def finish(self) -> None:
        """The run has reached its end; the next crawl is a new one."""
        with self._named_errors():
            self._database.execute("UPDATE runs SET finished = ? WHERE id = ?", [time.time(), self.run])

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    # Pages

    def page(self, role: str, url: str) -> PageRow | None:
        """What is known of a page, None when nothing is."""
        row = self._database.execute(
            "SELECT run = ?, status, etag, last_modified, readers, found FROM pages "
            "WHERE role = ? AND url = ?",
            [self.run, role, url],
        ).fetchone()
        return PageRow(bool(row[0]), *row[1:]) if row else None

    def settle_page(
        self,
        role: str,
        url: str,
        status: str,
        reason: str | None,
        headers: Mapping[str, str],
        readers: str,
        found: str,
    ) -> None:
        """A page was read in this run."""
        self._write(
            "INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                role,
                url,
                self.run,
                status,
                reason,
                headers.get("etag"),
                headers.get("last-modified"),
                readers,
                found,
            ],
        )

    def keep_page(self, role: str, url: str, status: str, reason: str | None) -> None:
        """A page has not changed, or could not be read this time: what it said earlier still holds."""
        self._write(
            "INSERT INTO pages (role, url, run, status, reason, readers) VALUES (?, ?, ?, ?, ?, '') "
            "ON CONFLICT DO UPDATE SET run = excluded.run, status = excluded.status, "
            "reason = excluded.reason",
            [role, url, self.run, status, reason],
        )

    def page_reasons(self) -> dict[str, int]:
        """Reasons of the pages that could not be read in this run, with their number."""
        rows = self._database.execute(
            "SELECT status || ': ' || reason, count(*) FROM pages "
            "WHERE run = ? AND status != 'ok' GROUP BY 1 ORDER BY 1",
            [self.run],
        )
        return dict(rows.fetchall())

    # Listings

    def list_products(self, products: Iterable[tuple[str, Product, list[str]]], complete: bool) -> None:
        """Take in (page URL, product, classes): which page shows which product and images, as what.

        When the pages were read to their end (`complete`), listings are replaced and images that no page
        lists any more are marked gone; else only new images are added.
        """
        images: dict[str, tuple[set[str], set[str], set[str]]] = {}
        now = _now()
        with self._named_errors(), _transaction(self._database):
            for page_url, product, classes in products:
                if complete:
                    self._database.execute("DELETE FROM products WHERE page_url = ?", [page_url])
                attributes = json.dumps(product.attributes, ensure_ascii=False, sort_keys=True)
                for name in classes:
                    self._database.execute(
                        "INSERT OR REPLACE INTO products VALUES (?, ?, ?, ?, ?)",
                        [page_url, name, product.product_id, product.title, attributes],
                    )
                for url in product.images:
                    listing = images.setdefault(url, (set(), set(), set()))
                    listing[0].update(classes)
                    listing[1].add(product.product_id)
                    listing[2].add(page_url)
            update = (
                "UPDATE SET listed = excluded.listed, store_classes = excluded.store_classes, "
                "product_ids = excluded.product_ids, page_urls = excluded.page_urls"
            )
            self._database.executemany(
                "INSERT INTO images "
                "(image_url, run, listed, first_seen, store_classes, product_ids, page_urls) "
                f"VALUES (?, 0, ?, ?, ?, ?, ?) ON CONFLICT DO {update if complete else 'NOTHING'}",
                (
                    [url, self.run, now, *(json.dumps(sorted(part), ensure_ascii=False) for part in listing)]
                    for url, listing in images.items()
                ),
            )
            if complete and images and not self._unread_pages():
                self._database.execute(
                    "UPDATE images SET run = ?, status = 'gone', reason = 'no longer listed', "
                    "gone_at = coalesce(gone_at, ?) WHERE listed != ?",
                    [self.run, now, self.run],
                )

    def _unread_pages(self) -> bool:
        # What a page lists that failed now and was never read is unknown, not gone.
        query = "SELECT 1 FROM pages WHERE run = ? AND status = 'failed' AND found IS NULL LIMIT 1"
        return self._database.execute(query, [self.run]).fetchone() is not None

    # Images

    def forget_lost_files(self) -> None:
        """Images whose file is no longer there are asked for again, whole."""
        rows = self._database.execute("SELECT image_url, path FROM images WHERE path IS NOT NULL").fetchall()
        lost = [[url] for url, path in rows if not (self._folder / path).exists()]
        with self._named_errors(), _transaction(self._database):
            self._database.executemany(
                "UPDATE images SET run = 0, status = CASE status WHEN 'gone' THEN 'gone' END, sha256 = NULL, "
                "path = NULL, etag = NULL, last_modified = NULL WHERE image_url = ?",
                lost,
            )

    def listed_count(self) -> int:
        """Distinct images that the pages of this run list."""
        query = "SELECT count(*) FROM images WHERE listed = ?"
        return int(self._database.execute(query, [self.run]).fetchone()[0])

    def paths(self) -> set[str]:
        """Paths of all stored images, relative to the site's folder."""
        return {path for (path,) in self._database.execute("SELECT path FROM images WHERE path IS NOT NULL")}

    def pending(self) -> list[ImageJob]:
        """Listed images that this run has not settled, in order of their URL."""
        rows = self._database.execute(
            "SELECT image_url, etag, last_modified, sha256, status, reason FROM images "
            "WHERE run < ? AND listed = ? ORDER BY image_url",
            [self.run, self.run],
        )
        return [ImageJob(*row) for row in rows]

    def settle_image(self, url: str, image: StoredImage, headers: Mapping[str, str]) -> None:
        """An image was stored."""
        values = {
            **asdict(image),
            "status": "ok", "reason": None, "run": self.run, "fetched_at": _now(), "gone_at": None,
            "etag": headers.get("etag"), "last_modified": headers.get("last-modified"),
        }  # fmt: skip
        self._update_image(url, values)

    def keep_image(self, url: str, status: str, reason: str | None) -> None:
        """Nothing new was stored; an earlier file stays, and an image that only now failed stays ok."""
        if status == "failed":
            (sha256,) = self._database.execute(
                "SELECT sha256 FROM images WHERE image_url = ?", [url]
            ).fetchone()
            status, reason = ("ok", None) if sha256 else (status, reason)
        values: dict[str, Any] = {"status": status, "reason": reason, "run": self.run}
        if status == "ok":
            values["gone_at"] = None
        self._update_image(url, values)
        if status == "gone":
            self._write("UPDATE images SET gone_at = coalesce(gone_at, ?) WHERE image_url = ?", [_now(), url])

    def keep_validators(self, url: str, headers: Mapping[str, str]) -> None:
        """Remember which bytes were no image, so that only others are fetched again."""
        self._update_image(url, {"etag": headers.get("etag"), "last_modified": headers.get("last-modified")})

    def mark_blocked(self, reason: str) -> None:
        """The images not asked for yet stay to be asked for; the tables say why they are missing."""
        self._write(
            "UPDATE images SET status = 'blocked', reason = ? WHERE run < ? AND sha256 IS NULL",
            [reason, self.run],
        )

    def _update_image(self, url: str, values: dict[str, Any]) -> None:
        columns = ", ".join(f"{name} = :{name}" for name in values)
        self._write(f"UPDATE images SET {columns} WHERE image_url = :url", {**values, "url": url})

    # Blocks

    def blocks(self) -> dict[str, float]:
        """Hosts that blocked us, with the wall clock time until which they do."""
        rows = self._database.execute("SELECT host, until FROM blocks WHERE until > ?", [time.time()])
        return dict(rows.fetchall())

    def block(self, host: str, until: float, reason: str) -> None:
        """A host blocked us."""
        self._write("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?)", [host, until, reason])

    # Tables

    def image_rows(self) -> Iterator[dict[str, Any]]:
        """The images of known status, as rows of `scraper.tables.IMAGES` without site and file name."""
        names = [field.name for field in IMAGES if field.name not in ("site", "file_name")]
        query = f"SELECT {', '.join(names)} FROM images WHERE status IS NOT NULL ORDER BY image_url"
        for row in self._database.execute(query):
            values = dict(zip(names, row, strict=True))
            yield {**values, **{name: json.loads(values[name]) for name in _LISTS}}

    def product_rows(self) -> Iterator[dict[str, Any]]:
        """The products, as rows of `scraper.tables.PRODUCTS` without site."""
        names = [field.name for field in PRODUCTS if field.name != "site"]
        order = "product_id, store_class, page_url"
        for row in self._database.execute(f"SELECT {', '.join(names)} FROM products ORDER BY {order}"):
            yield dict(zip(names, row, strict=True))

    def _write(self, statement: str, values: Any) -> None:
        with self._named_errors():
            self._database.execute(statement, values)

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"Cannot write '{self._path}': {error}. Free or unlock the disk (or delete the file: it is "
                "made again from data/raw) and run the same command again."
            ) from error


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


def _now() -> int:
    return round(time.time() * 1000)
