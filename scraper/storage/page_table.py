"""The pages of a crawl: which ones a run has fetched, and what they yielded."""

import sqlite3
from collections.abc import Mapping

from scraper.http.reason import Outcome, Reason
from scraper.storage.jobs import PageRow
from scraper.storage.schema import Database
from scraper.stores.records import Role
from scraper.tables import ImageStatus, ReasonKind


class PageTable:
    """Pages by role and URL; counts and outcomes are those of one run."""

    def __init__(self, database: Database, run: int):
        self._database, self._run = database, run

    def get(self, role: Role, url: str) -> PageRow | None:
        """The row of a page, or None."""
        row = self._database.execute(
            "SELECT run = ?, status, reason_kind, etag, last_modified, parser, content FROM pages "
            "WHERE role = ? AND url = ?",
            [self._run, role, url],
        ).fetchone()
        return PageRow(bool(row[0]), ImageStatus(row[1]), *row[2:]) if row else None

    def mark_fetched(
        self, role: Role, url: str, headers: Mapping[str, str], parser: str, content: str
    ) -> None:
        """A page was fetched and parsed in this run; `content` is JSON of a `PageContent`."""
        self._database.write(
            "INSERT OR REPLACE INTO pages (role, url, run, status, etag, last_modified, parser, content) "
            "VALUES (?, ?, ?, 'ok', ?, ?, ?, ?)",
            [role, url, self._run, headers.get("etag"), headers.get("last-modified"), parser, content],
        )

    def mark_unchanged(self, role: Role, url: str, outcome: Outcome) -> None:
        """A page has not changed, or could not be read this time: what it yielded earlier still holds."""
        self._database.write(
            "INSERT INTO pages (role, url, run, status, reason, reason_kind, parser) "
            "VALUES (:role, :url, :run, :status, :reason, :reason_kind, '') "
            "ON CONFLICT DO UPDATE SET run = excluded.run, status = excluded.status, "
            "reason = excluded.reason, reason_kind = excluded.reason_kind",
            {"role": role, "url": url, "run": self._run, **outcome.columns},
        )

    def count(self) -> int:
        """Pages that this run has requested, including those that could not be read."""
        return int(
            self._database.execute("SELECT count(*) FROM pages WHERE run = ?", [self._run]).fetchone()[0]
        )

    def count_read(self) -> int:
        """Pages that this run has read, or found unchanged."""
        query = "SELECT count(*) FROM pages WHERE run = ? AND status = 'ok'"
        return int(self._database.execute(query, [self._run]).fetchone()[0])

    def failures(self) -> dict[Outcome, int]:
        """How many pages could not be read in this run, by outcome."""
        return count_page_failures(self._database.connection, self._run)

    def any_unread(self) -> bool:
        """Whether a page failed in this run that was never read: what it lists is unknown, not gone."""
        query = (
            "SELECT 1 FROM pages WHERE run = ? AND content IS NULL AND (status IN (?, ?) OR reason_kind = ?) "
            "LIMIT 1"
        )
        temporary = [ImageStatus.FAILED, ImageStatus.INVALID, ReasonKind.ROBOTS_UNREADABLE]
        return self._database.execute(query, [self._run, *temporary]).fetchone() is not None


def count_page_failures(connection: sqlite3.Connection, run: int) -> dict[Outcome, int]:
    """`PageTable.failures` of any run."""
    rows = connection.execute(
        "SELECT status, reason_kind, reason, count(*) FROM pages WHERE run = ? AND status != 'ok' "
        "GROUP BY 1, 2, 3 ORDER BY status || ': ' || reason",
        [run],
    )
    return {
        Outcome(ImageStatus(status), Reason.stored(kind, reason)): count
        for status, kind, reason, count in rows
    }
