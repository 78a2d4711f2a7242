"""What a crawl knows, in one SQLite file. Each item is a transaction: a kill loses only what was in flight.

A *run* is one crawl from the start page to the last image. An interrupted crawl resumes the same run: items
that were finished in the run are not requested again. After a finished crawl the next one is a new run, which
requests everything again, conditionally.
"""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scraper.http.rate_limiter import HostHistory
from scraper.storage.host_history import read_host_histories
from scraper.storage.image_store import StoredImage
from scraper.storage.jobs import ImageJob
from scraper.storage.listing_table import ListingTable
from scraper.storage.page_table import PageTable
from scraper.storage.schema import LISTS, Database, now_ms
from scraper.tables import IMAGES, PRODUCTS


class CrawlState:
    """The state of one site's crawl: `pages`, `listings`, and the images and hosts; used from one thread.

    If the file is missing (or not ours), it is rebuilt from the tables in `folder`.
    """

    def __init__(self, path: Path, folder: Path):
        self._folder = folder
        self._database = Database(path, folder)
        with self._database.named_errors():
            self._run = self._begin()
        self.pages = PageTable(self._database, self._run)
        self.listings = ListingTable(self._database, self._run, self.pages)

    def _begin(self) -> int:
        row = self._database.execute("SELECT id FROM runs WHERE finished IS NULL").fetchone()
        if row is not None:
            return int(row[0])
        query = "INSERT INTO runs (started) VALUES (?)"
        return int(self._database.execute(query, [time.time()]).lastrowid or 0)

    def finish(self) -> None:
        """The run is complete; the next crawl is a new one."""
        self._database.write("UPDATE runs SET finished = ? WHERE id = ?", [time.time(), self._run])

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    # Images

    def forget_lost_files(self) -> None:
        """Images whose file no longer exists are fetched again, unconditionally."""
        rows = self._database.execute("SELECT image_url, path FROM images WHERE path IS NOT NULL").fetchall()
        lost = [[url] for url, path in rows if not (self._folder / path).exists()]
        with self._database.transaction():
            self._database.executemany(
                "UPDATE images SET run = 0, status = CASE status WHEN 'gone' THEN 'gone' END, sha256 = NULL, "
                "path = NULL, etag = NULL, last_modified = NULL WHERE image_url = ?",
                lost,
            )

    def stored_sizes(self) -> list[int]:
        """Bytes of each listed image that was requested, 0 for one that could not be stored."""
        query = (
            "SELECT CASE WHEN path IS NULL THEN 0 ELSE bytes END FROM images WHERE listed = ? "
            "AND (path IS NOT NULL OR status IN ('gone', 'invalid', 'failed'))"
        )
        return [size for (size,) in self._database.execute(query, [self._run])]

    def paths(self) -> set[str]:
        """Paths of all stored images, relative to the site's folder."""
        return {path for (path,) in self._database.execute("SELECT path FROM images WHERE path IS NOT NULL")}

    def pending(self) -> list[ImageJob]:
        """Listed images that this run has not finished, in order of their URL."""
        rows = self._database.execute(
            "SELECT image_url, etag, last_modified, sha256, status, reason FROM images "
            "WHERE run < ? AND listed = ? ORDER BY image_url",
            [self._run, self._run],
        )
        return [ImageJob(*row) for row in rows]

    def mark_fetched(self, url: str, image: StoredImage, headers: Mapping[str, str]) -> None:
        """An image was stored."""
        values = {
            **vars(image),
            "status": "ok", "reason": None, "run": self._run, "fetched_at": now_ms(), "gone_at": None,
            "etag": headers.get("etag"), "last_modified": headers.get("last-modified"),
        }  # fmt: skip
        self._update_image(url, values)

    def mark_unchanged(
        self, url: str, status: str, reason: str | None, headers: Mapping[str, str] | None = None
    ) -> None:
        """No new image was stored; an earlier file stays, and an image that failed only now stays ok.

        `headers` are those of a body that was not an image: their validators avoid downloading it again.
        """
        if status == "failed":
            (sha256,) = self._database.execute(
                "SELECT sha256 FROM images WHERE image_url = ?", [url]
            ).fetchone()
            status, reason = ("ok", None) if sha256 else (status, reason)
        values: dict[str, Any] = {"status": status, "reason": reason, "run": self._run}
        if headers is not None:
            values |= {"etag": headers.get("etag"), "last_modified": headers.get("last-modified")}
        gone_at = {"ok": "NULL", "gone": f"coalesce(gone_at, {now_ms()})"}.get(status, "gone_at")
        self._update_image(url, values, f"gone_at = {gone_at}")

    def mark_blocked(self, reason: str) -> None:
        """The remaining images were not requested: they stay pending, and the tables give the reason."""
        self._database.write(
            "UPDATE images SET status = 'blocked', reason = ? WHERE run < ? AND sha256 IS NULL "
            "AND (status IS NULL OR status = 'blocked')",
            [reason, self._run],
        )

    def _update_image(self, url: str, values: dict[str, Any], more: str = "") -> None:
        columns = ", ".join([*(f"{name} = :{name}" for name in values), *([more] if more else [])])
        self._database.write(f"UPDATE images SET {columns} WHERE image_url = :url", {**values, "url": url})

    # Hosts

    def host_histories(self) -> dict[str, HostHistory]:
        """What earlier crawls learnt about each host; a rate expires after 30 days."""
        return read_host_histories(self._database.connection)

    def save_block(self, host: str, until: float, reason: str) -> None:
        """A host is not to be contacted until then."""
        self._database.write(
            "INSERT INTO hosts (host, blocked_until, reason) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "
            "blocked_until = excluded.blocked_until, reason = excluded.reason "
            "WHERE excluded.blocked_until > coalesce(blocked_until, 0)",
            [host, until, reason],
        )

    def save_rate(self, host: str, rate: float, converged: bool) -> None:
        """The rate found for a host so far; `converged`: it is the highest that the host allows."""
        self._database.write(
            "INSERT INTO hosts (host, rate, settled, searched) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "rate = excluded.rate, settled = excluded.settled, searched = excluded.searched",
            [host, rate, converged, time.time()],
        )

    # Tables

    def statuses(self) -> dict[str, int]:
        """How many of all known images have each status."""
        rows = self._database.execute(
            "SELECT status, count(*) FROM images WHERE status IS NOT NULL GROUP BY 1 ORDER BY 1"
        )
        return dict(rows.fetchall())

    def gone_count(self) -> int:
        """Images known before this run that the store lost during it."""
        query = (
            "SELECT count(*) FROM images, runs WHERE id = ? AND status = 'gone' "
            "AND gone_at >= started * 1000 AND first_seen < started * 1000"
        )
        return int(self._database.execute(query, [self._run]).fetchone()[0])

    def image_rows(self) -> Iterator[dict[str, Any]]:
        """The images with a status, as rows of `scraper.tables.IMAGES` without site and file name."""
        names = [field.name for field in IMAGES if field.name not in ("site", "file_name")]
        query = f"SELECT {', '.join(names)} FROM images WHERE status IS NOT NULL ORDER BY image_url"
        for row in self._database.execute(query):
            values = dict(zip(names, row, strict=True))
            yield {**values, **{name: json.loads(values[name]) for name in LISTS}}

    def product_rows(self) -> Iterator[dict[str, Any]]:
        """The products, as rows of `scraper.tables.PRODUCTS` without site.

        Products of images that come from a link list, not from a page, have no page and no title.
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
