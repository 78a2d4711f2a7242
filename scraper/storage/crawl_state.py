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
from pathlib import Path
from typing import Any

from gemkit.errors import UserError
from scraper.http.rate_limiter import HostMemory
from scraper.storage.host_history import read_memories
from scraper.storage.image_store import StoredImage
from scraper.storage.jobs import ImageJob, PageRow
from scraper.storage.schema import LISTS, open_database, transaction
from scraper.stores.records import Link, Product
from scraper.tables import IMAGES, PRODUCTS


class State:
    """The state of one site's crawl; used from one thread.

    When the file is not there (or not ours), it is begun again from the tables in `folder`.
    """

    def __init__(self, path: Path, folder: Path, site: str):
        self._path, self._folder, self._site = path, folder, site
        with self._named_errors():
            self._database = open_database(path, folder)
            self.run = self._begin()

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

    def page_count(self) -> int:
        """Pages that this run has asked for, also those that could not be read."""
        query = "SELECT count(*) FROM pages WHERE run = ?"
        return int(self._database.execute(query, [self.run]).fetchone()[0])

    def page_reasons(self) -> dict[str, int]:
        """Reasons of the pages that could not be read in this run, with their number."""
        return read_page_reasons(self._database, self.run)

    # Listings

    def list_products(self, products: Iterable[tuple[str, Product, list[str]]], complete: bool) -> None:
        """Take in (page URL, product, classes): which page shows which product and images, as what.

        When the pages were read to their end (`complete`), listings are replaced and images that no page
        lists any more are marked gone; else only new images are added.
        """
        images: dict[str, tuple[set[str], set[str], set[str]]] = {}
        with self._named_errors(), transaction(self._database):
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
            self._list_images(images, complete)

    def list_links(self, links: Iterable[Link]) -> None:
        """Take in a whole list of links: it replaces all listings, and images not in it are marked gone."""
        images: dict[str, tuple[set[str], set[str], set[str]]] = {}
        for link in links:
            classes, products, _ = images.setdefault(link.image_url, (set(), set(), set()))
            classes.add(link.store_class)
            if link.product_id is not None:
                products.add(link.product_id)
        with self._named_errors(), transaction(self._database):
            self._list_images(images, complete=True)

    def _list_images(self, images: dict[str, tuple[set[str], set[str], set[str]]], complete: bool) -> None:
        """Take in images with their classes, product ids and page URLs."""
        now = _now()
        if complete:  # a plan, or a crawl that was cut short, may have listed others in this run
            self._database.execute("UPDATE images SET listed = 0 WHERE listed = ?", [self.run])
        update = (
            "UPDATE SET listed = excluded.listed, store_classes = excluded.store_classes, "
            "product_ids = excluded.product_ids, page_urls = excluded.page_urls, "
            "run = CASE reason WHEN 'no longer listed' THEN 0 ELSE run END"
        )
        self._database.executemany(
            "INSERT INTO images (image_url, run, listed, first_seen, store_classes, product_ids, page_urls) "
            f"VALUES (?, 0, ?, ?, ?, ?, ?) ON CONFLICT DO {update if complete else 'NOTHING'}",
            (
                [url, self.run, now, *(json.dumps(sorted(part), ensure_ascii=False) for part in listing)]
                for url, listing in images.items()
            ),
        )
        if complete and images and not self._unread_pages():
            self._database.execute("DELETE FROM images WHERE listed != ? AND status IS NULL", [self.run])
            self._database.execute(
                "UPDATE images SET run = ?, status = 'gone', reason = 'no longer listed', "
                "gone_at = coalesce(gone_at, ?) WHERE listed != ?",
                [self.run, now, self.run],
            )

    def _unread_pages(self) -> bool:
        # What a page lists that failed now and was never read is unknown, not gone.
        query = (
            "SELECT 1 FROM pages WHERE run = ? AND found IS NULL AND (status IN ('failed', 'invalid') "
            "OR reason LIKE 'robots.txt cannot be read%') LIMIT 1"
        )
        return self._database.execute(query, [self.run]).fetchone() is not None

    # Images

    def forget_lost_files(self) -> None:
        """Images whose file is no longer there are asked for again, whole."""
        rows = self._database.execute("SELECT image_url, path FROM images WHERE path IS NOT NULL").fetchall()
        lost = [[url] for url, path in rows if not (self._folder / path).exists()]
        with self._named_errors(), transaction(self._database):
            self._database.executemany(
                "UPDATE images SET run = 0, status = CASE status WHEN 'gone' THEN 'gone' END, sha256 = NULL, "
                "path = NULL, etag = NULL, last_modified = NULL WHERE image_url = ?",
                lost,
            )

    def listed_count(self) -> int:
        """Distinct images that the pages of this run list."""
        query = "SELECT count(*) FROM images WHERE listed = ?"
        return int(self._database.execute(query, [self.run]).fetchone()[0])

    def stored_sizes(self) -> list[int]:
        """Bytes of each listed image that was asked for, 0 where what came is not stored."""
        query = (
            "SELECT CASE WHEN path IS NULL THEN 0 ELSE bytes END FROM images WHERE listed = ? "
            "AND (path IS NOT NULL OR status IN ('gone', 'invalid', 'failed'))"
        )
        return [size for (size,) in self._database.execute(query, [self.run])]

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
            **vars(image),
            "status": "ok", "reason": None, "run": self.run, "fetched_at": _now(), "gone_at": None,
            "etag": headers.get("etag"), "last_modified": headers.get("last-modified"),
        }  # fmt: skip
        self._update_image(url, values)

    def keep_image(
        self, url: str, status: str, reason: str | None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Nothing new was stored; an earlier file stays, and an image that only now failed stays ok.

        `headers` are those of bytes that were no image: by their validators only others are fetched again.
        """
        if status == "failed":
            (sha256,) = self._database.execute(
                "SELECT sha256 FROM images WHERE image_url = ?", [url]
            ).fetchone()
            status, reason = ("ok", None) if sha256 else (status, reason)
        values: dict[str, Any] = {"status": status, "reason": reason, "run": self.run}
        if headers is not None:
            values |= {"etag": headers.get("etag"), "last_modified": headers.get("last-modified")}
        gone_at = {"ok": "NULL", "gone": f"coalesce(gone_at, {_now()})"}.get(status, "gone_at")
        self._update_image(url, values, f"gone_at = {gone_at}")

    def mark_blocked(self, reason: str) -> None:
        """The images not asked for yet stay to be asked for; the tables say why they are missing."""
        self._write(
            "UPDATE images SET status = 'blocked', reason = ? WHERE run < ? AND sha256 IS NULL "
            "AND (status IS NULL OR status = 'blocked')",
            [reason, self.run],
        )

    def _update_image(self, url: str, values: dict[str, Any], more: str = "") -> None:
        columns = ", ".join([*(f"{name} = :{name}" for name in values), *([more] if more else [])])
        self._write(f"UPDATE images SET {columns} WHERE image_url = :url", {**values, "url": url})

    # Hosts

    def hosts(self) -> dict[str, HostMemory]:
        """What earlier crawls found out about each host; a rate that was found is old after a month."""
        return read_memories(self._database)

    def block(self, host: str, until: float, reason: str) -> None:
        """A host wants to be left alone until then."""
        self._write(
            "INSERT INTO hosts (host, blocked_until, reason) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "
            "blocked_until = excluded.blocked_until, reason = excluded.reason "
            "WHERE excluded.blocked_until > coalesce(blocked_until, 0)",
            [host, until, reason],
        )

    def remember_rate(self, host: str, rate: float, settled: bool) -> None:
        """The rate that was found for a host so far; `settled`: it is the most that the host allows."""
        self._write(
            "INSERT INTO hosts (host, rate, settled, searched) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "rate = excluded.rate, settled = excluded.settled, searched = excluded.searched",
            [host, rate, settled, time.time()],
        )

    # Tables

    def statuses(self) -> dict[str, int]:
        """How many images have each status, of all that are known."""
        rows = self._database.execute(
            "SELECT status, count(*) FROM images WHERE status IS NOT NULL GROUP BY 1 ORDER BY 1"
        )
        return dict(rows.fetchall())

    def gone_count(self) -> int:
        """Images known before this run that the store lost in it."""
        query = (
            "SELECT count(*) FROM images, runs WHERE id = ? AND status = 'gone' "
            "AND gone_at >= started * 1000 AND first_seen < started * 1000"
        )
        return int(self._database.execute(query, [self.run]).fetchone()[0])

    def image_rows(self) -> Iterator[dict[str, Any]]:
        """The images of known status, as rows of `scraper.tables.IMAGES` without site and file name."""
        names = [field.name for field in IMAGES if field.name not in ("site", "file_name")]
        query = f"SELECT {', '.join(names)} FROM images WHERE status IS NOT NULL ORDER BY image_url"
        for row in self._database.execute(query):
            values = dict(zip(names, row, strict=True))
            yield {**values, **{name: json.loads(values[name]) for name in LISTS}}

    def product_rows(self) -> Iterator[dict[str, Any]]:
        """The products, as rows of `scraper.tables.PRODUCTS` without site.

        Those of images that stand on no page (but in a list of links) have no page and no title.
        """
        names = [field.name for field in PRODUCTS if field.name != "site"]
        query = f"""
            SELECT {", ".join(names)} FROM products
            UNION SELECT product.value, NULL, NULL, class.value, '{{}}'
            FROM images, json_each(product_ids) product, json_each(store_classes) class
            WHERE page_urls = '[]'
            ORDER BY product_id, store_class, page_url
        """
        for row in self._database.execute(query):
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


def read_page_reasons(database: sqlite3.Connection, run: int) -> dict[str, int]:
    """`State.page_reasons` of any run."""
    rows = database.execute(
        "SELECT status || ': ' || reason, count(*) FROM pages "
        "WHERE run = ? AND status != 'ok' GROUP BY 1 ORDER BY 1",
        [run],
    )
    return dict(rows.fetchall())


def _now() -> int:
    return round(time.time() * 1000)
