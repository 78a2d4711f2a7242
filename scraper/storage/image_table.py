"""The images of a site: which of them a run lists and has finished, and how each ended."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from zlib import crc32

from scraper.http.reason import OK, TEMPORARY, Outcome, Reason
from scraper.storage.image_store import StoredImage
from scraper.storage.jobs import ImageJob
from scraper.storage.schema import LISTS, Database, Row
from scraper.tables import IMAGES, ImageStatus, ReasonKind

#: An image that was there until now is gone since now, in this run.
_GONE_NOW = (
    "gone_run = CASE WHEN gone_at IS NULL THEN :run ELSE gone_run END, gone_at = coalesce(gone_at, :now)"
)

#: An image that the next crawl may fetch after all; see `Outcome.is_temporary`.
_TEMPORARY = "(status = '{}' OR reason_kind IN ({}))".format(
    ImageStatus.FAILED, ", ".join(f"'{kind}'" for kind in sorted(TEMPORARY))
)

_NO_LONGER_LISTED = Reason(ReasonKind.NO_LONGER_LISTED, "no longer listed")


@lru_cache(maxsize=1024)
def _list(text: str) -> list[str]:
    """A stored list, not to be changed: neighbours in the table often have the same."""
    values: list[str] = json.loads(text)
    return values


@dataclass(frozen=True)
class Listing:
    """The listings of one image: store classes, product ids and URLs of pages."""

    classes: set[str] = field(default_factory=set)
    products: set[str] = field(default_factory=set)
    pages: set[str] = field(default_factory=set)

    def to_json(self) -> list[str]:
        """The values of the columns `LISTS`."""
        return [
            json.dumps(sorted(part), ensure_ascii=False) for part in (self.classes, self.products, self.pages)
        ]


class ImageTable:
    """Images by URL, in one run; `folder` is the site's, which contains their files.

    `clock` tells the times in the table, in seconds since 1970.
    """

    def __init__(self, database: Database, run: int, folder: Path, clock: Callable[[], float]):
        self._database, self._run, self._folder, self._clock = database, run, folder, clock

    # Listed images

    def save_listings(self, listings: Mapping[str, Listing], complete: bool) -> None:
        """List images by URL in this run; call it within a transaction.

        If `complete`, these replace all that the run and earlier ones listed; else only new images are added.
        """
        if complete:  # a plan, or an interrupted crawl, may have listed others in this run
            self._database.execute("UPDATE images SET listed = 0 WHERE listed = ?", [self._run])
        update = (
            "UPDATE SET listed = excluded.listed, store_classes = excluded.store_classes, "
            "product_ids = excluded.product_ids, page_urls = excluded.page_urls, "
            f"run = CASE reason_kind WHEN '{ReasonKind.NO_LONGER_LISTED}' THEN 0 ELSE run END"
        )
        now = self._now()
        self._database.executemany(
            "INSERT INTO images "
            "(image_url, run, listed, first_run, first_seen, store_classes, product_ids, page_urls) "
            f"VALUES (?, 0, ?, ?, ?, ?, ?, ?) ON CONFLICT DO {update if complete else 'NOTHING'}",
            ([url, self._run, self._run, now, *listing.to_json()] for url, listing in listings.items()),
        )

    def mark_unlisted_gone(self) -> None:
        """Images that this run does not list are gone; call it within a transaction."""
        self._database.execute("DELETE FROM images WHERE listed != ? AND status IS NULL", [self._run])
        self._database.execute(
            "UPDATE images SET run = :run, status = :status, reason = :reason, reason_kind = :reason_kind, "
            f"{_GONE_NOW} WHERE listed != :run",
            {
                "run": self._run,
                "now": self._now(),
                **Outcome(ImageStatus.GONE, _NO_LONGER_LISTED).columns,
            },
        )

    def count_listed(self) -> int:
        """Distinct images that this run lists."""
        query = "SELECT count(*) FROM images WHERE listed = ?"
        return int(self._database.execute(query, [self._run]).fetchone()[0])

    # Images to fetch

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

    def pending(self) -> list[ImageJob]:
        """Listed images that this run has not finished, or that failed: those with the most attempts last.

        Otherwise they are in an order that has nothing to do with their URLs: a store's broken images often
        have similar ones.
        """
        rows = self._database.execute(
            "SELECT image_url, etag, last_modified, sha256, status, reason_kind, reason, attempts, "
            "json_extract(page_urls, '$[0]') FROM images "
            f"WHERE listed = :run AND (run < :run OR {_TEMPORARY})",
            {"run": self._run},
        )
        jobs = [
            ImageJob(
                url, etag, modified, sha256, status and ImageStatus(status), Reason.stored(kind, text), *rest
            )
            for url, etag, modified, sha256, status, kind, text, *rest in rows
        ]
        return sorted(jobs, key=lambda job: (job.attempts, crc32(job.url.encode())))

    # How they ended

    def mark_fetched(self, url: str, image: StoredImage, headers: Mapping[str, str]) -> None:
        """An image was stored."""
        values: Row = {
            **vars(image), **OK.columns, "run": self._run, "fetched_at": self._now(), "gone_at": None,
            "etag": headers.get("etag"), "last_modified": headers.get("last-modified"), "attempts": 0,
        }  # fmt: skip
        self._update(url, values)

    def mark_unchanged(self, url: str, outcome: Outcome, headers: Mapping[str, str] | None = None) -> None:
        """No new image was stored; an earlier file stays, and an image that failed only now stays ok.

        `headers` are those of a body that was not an image: their validators avoid downloading it again.
        """
        if outcome.is_failure and self._is_stored(url):
            outcome = OK
        if outcome.is_temporary:
            self.count_attempt(url)
        values: Row = {**outcome.columns, "run": self._run}
        if headers is not None:
            values |= {"etag": headers.get("etag"), "last_modified": headers.get("last-modified")}
        if outcome.status == ImageStatus.OK:
            values["gone_at"] = None
        self._update(url, values, _GONE_NOW if outcome.status == ImageStatus.GONE else "")

    def count_attempt(self, url: str) -> None:
        """A request of an image failed."""
        self._database.write("UPDATE images SET attempts = attempts + 1 WHERE image_url = ?", [url])

    def mark_blocked(self, reason: Reason) -> None:
        """The remaining images were not requested: they stay pending, and the tables give the reason."""
        self._database.write(
            "UPDATE images SET status = :status, reason = :reason, reason_kind = :reason_kind "
            "WHERE run < :run AND sha256 IS NULL AND (status IS NULL OR status = :status)",
            {"run": self._run, **Outcome(ImageStatus.BLOCKED, reason).columns},
        )

    # Known images

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

    def statuses(self) -> dict[str, int]:
        """How many of all known images have each status."""
        rows = self._database.execute(
            "SELECT status, count(*) FROM images WHERE status IS NOT NULL GROUP BY 1 ORDER BY 1"
        )
        return dict(rows.fetchall())

    def failures(self) -> dict[Outcome, int]:
        """How many of all known images are not ok, by outcome."""
        rows = self._database.execute(
            "SELECT status, reason_kind, reason, count(*) FROM images WHERE status != 'ok' "
            "GROUP BY 1, 2, 3 ORDER BY 1, 3"
        )
        return {
            Outcome(ImageStatus(status), Reason.stored(kind, reason)): count
            for status, kind, reason, count in rows
        }

    def any_left(self, attempts: int) -> bool:
        """Whether a listed image failed that has not had so many attempts yet."""
        query = f"SELECT 1 FROM images WHERE listed = :run AND {_TEMPORARY} AND attempts < :most LIMIT 1"
        row = self._database.execute(query, {"run": self._run, "most": attempts})
        return row.fetchone() is not None

    def stored_classes(self) -> set[str]:
        """Names of the classes of which a file is stored, even if the store no longer lists it."""
        query = "SELECT DISTINCT store_classes FROM images WHERE sha256 IS NOT NULL"
        return {name for (classes,) in self._database.execute(query) for name in json.loads(classes)}

    def listed(self) -> Iterator[tuple[str, list[str], Outcome, bool]]:
        """The URL and classes of each listed image, how it ended, and whether its file is stored."""
        query = (
            "SELECT image_url, store_classes, status, reason_kind, reason, sha256 IS NOT NULL FROM images "
            "WHERE listed = ? AND status IS NOT NULL"
        )
        for url, classes, status, kind, text, stored in self._database.execute(query, [self._run]):
            outcome = Outcome(ImageStatus(status), Reason.stored(kind, text))
            yield url, json.loads(classes), outcome, bool(stored)

    def not_stored(self) -> Iterator[tuple[str, Outcome]]:
        """The listed images whose file is not stored, and how each ended."""
        query = (
            "SELECT image_url, status, reason_kind, reason FROM images "
            "WHERE listed = ? AND status IS NOT NULL AND sha256 IS NULL ORDER BY image_url"
        )
        for url, status, kind, text in self._database.execute(query, [self._run]):
            yield url, Outcome(ImageStatus(status), Reason.stored(kind, text))

    def gone_count(self) -> int:
        """Images known before this run that the store lost during it."""
        query = "SELECT count(*) FROM images WHERE status = 'gone' AND gone_run = :run AND first_run < :run"
        return int(self._database.execute(query, {"run": self._run}).fetchone()[0])

    def rows(self) -> Iterator[Row]:
        """The images with a status, as rows of `scraper.tables.IMAGES` without site and file name."""
        names = [field.name for field in IMAGES if field.name not in ("site", "file_name")]
        query = f"SELECT {', '.join(names)} FROM images WHERE status IS NOT NULL ORDER BY image_url"
        for row in self._database.execute(query):
            values = dict(zip(names, row, strict=True))
            yield {**values, **{name: _list(values[name]) for name in LISTS}}

    def _now(self) -> int:
        """The time in milliseconds, as the tables store it."""
        return round(self._clock() * 1000)

    def _is_stored(self, url: str) -> bool:
        query = "SELECT sha256 IS NOT NULL FROM images WHERE image_url = ?"
        return bool(self._database.execute(query, [url]).fetchone()[0])

    def _update(self, url: str, values: Row, more: str = "") -> None:
        columns = ", ".join([*(f"{name} = :{name}" for name in values), *([more] if more else [])])
        self._database.write(
            f"UPDATE images SET {columns} WHERE image_url = :url", {**values, "url": url, "now": self._now()}
        )
