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
            "SELECT run = ?, status, reason_kind, reason, attempts, etag, last_modified, parser, content, "
            "doubted FROM pages WHERE role = ? AND url = ?",
            [self._run, role, url],
        ).fetchone()
        if row is None:
            return None
        done, status, kind, text, *values = row
        return PageRow(bool(done), Outcome(ImageStatus(status), Reason.stored(kind, text)), *values)

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
            "INSERT INTO pages (role, url, run, status, reason, reason_kind, parser, attempts) "
            "VALUES (:role, :url, :run, :status, :reason, :reason_kind, '', :failed) "
            "ON CONFLICT DO UPDATE SET run = excluded.run, status = excluded.status, "
            "reason = excluded.reason, reason_kind = excluded.reason_kind, "
            "attempts = CASE WHEN :failed THEN attempts + 1 ELSE 0 END",
            {
                "role": role,
                "url": url,
                "run": self._run,
                "failed": int(outcome.is_temporary),
                **outcome.columns,
            },
        )

    def mark_walled(self, role: Role, url: str, outcome: Outcome, known: PageRow | None) -> None:
        """A wall stood before a page: what it yielded earlier, if that is `known`, holds instead."""
        self._database.write(
            "INSERT OR REPLACE INTO pages (role, url, run, status, reason, reason_kind, etag, last_modified, "
            "parser, content, attempts) VALUES (:role, :url, :run, :status, :reason, :reason_kind, :etag, "
            ":last_modified, :parser, :content, :attempts)",
            {
                "role": role,
                "url": url,
                "run": self._run,
                "etag": known and known.etag,
                "last_modified": known and known.last_modified,
                "parser": known.parser if known else "",
                "content": known and known.content,
                "attempts": known.attempts + 1 if known else 1,
                **outcome.columns,
            },
        )

    def mark_doubted(self, role: Role, url: str, since: float | None) -> None:
        """A page shows nothing `since` that time (wall clock), or shows something: None."""
        self._database.write("UPDATE pages SET doubted = ? WHERE role = ? AND url = ?", [since, role, url])

    def forget_run(self) -> None:
        """This run has read no page; call it within a transaction."""
        self._database.execute("UPDATE pages SET run = 0 WHERE run = ?", [self._run])

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

    def any_product_read(self) -> bool:
        """Whether this run has read a product page, or found one unchanged."""
        query = "SELECT 1 FROM pages WHERE run = ? AND role = 'product' AND status = 'ok' LIMIT 1"
        return self._database.execute(query, [self._run]).fetchone() is not None

    def any_left(self, attempts: int) -> bool:
        """Whether a page failed in this run that has not had so many attempts yet."""
        query = (
            "SELECT 1 FROM pages WHERE run = ? AND (status = ? OR reason_kind = ?) AND attempts < ? LIMIT 1"
        )
        values = [self._run, ImageStatus.FAILED, ReasonKind.ROBOTS_UNREADABLE, attempts]
        return self._database.execute(query, values).fetchone() is not None

    def any_unread(self) -> bool:
        """Whether a page failed in this run that was never read, or that a wall hides.

        What it lists is unknown, not gone.
        """
        query = (
            "SELECT 1 FROM pages WHERE run = ? AND (reason_kind = ? OR "
            "content IS NULL AND (status IN (?, ?) OR reason_kind = ?)) LIMIT 1"
        )
        temporary = [ImageStatus.FAILED, ImageStatus.INVALID, ReasonKind.ROBOTS_UNREADABLE]
        return self._database.execute(query, [self._run, ReasonKind.WALL, *temporary]).fetchone() is not None


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
