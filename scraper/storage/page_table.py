"""The pages of a crawl: which ones a run has fetched, and what they yielded."""

import sqlite3
from collections.abc import Mapping

from scraper.storage.jobs import PageRow
from scraper.storage.schema import Database


class PageTable:
    """Pages by role and URL; counts and reasons are those of one run."""

    def __init__(self, database: Database, run: int):
        self._database, self._run = database, run

    def get(self, role: str, url: str) -> PageRow | None:
        """What is known of a page, or None."""
        row = self._database.execute(
            "SELECT run = ?, status, etag, last_modified, readers, found FROM pages "
            "WHERE role = ? AND url = ?",
            [self._run, role, url],
        ).fetchone()
        return PageRow(bool(row[0]), *row[1:]) if row else None

    def mark_fetched(
        self, role: str, url: str, headers: Mapping[str, str], parser: str, content: str
    ) -> None:
        """A page was fetched and parsed in this run; `content` is JSON of a `PageContent`."""
        self._database.write(
            "INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                role,
                url,
                self._run,
                "ok",
                None,
                headers.get("etag"),
                headers.get("last-modified"),
                parser,
                content,
            ],
        )

    def mark_unchanged(self, role: str, url: str, status: str, reason: str | None) -> None:
        """A page has not changed, or could not be read this time: what it yielded earlier still holds."""
        self._database.write(
            "INSERT INTO pages (role, url, run, status, reason, readers) VALUES (?, ?, ?, ?, ?, '') "
            "ON CONFLICT DO UPDATE SET run = excluded.run, status = excluded.status, "
            "reason = excluded.reason",
            [role, url, self._run, status, reason],
        )

    def count(self) -> int:
        """Pages that this run has requested, including those that could not be read."""
        return int(
            self._database.execute("SELECT count(*) FROM pages WHERE run = ?", [self._run]).fetchone()[0]
        )

    def reasons(self) -> dict[str, int]:
        """How many pages could not be read in this run, by reason."""
        return count_page_reasons(self._database.connection, self._run)

    def any_unread(self) -> bool:
        """Whether a page failed in this run that was never read: what it lists is unknown, not gone."""
        query = (
            "SELECT 1 FROM pages WHERE run = ? AND found IS NULL AND (status IN ('failed', 'invalid') "
            "OR reason LIKE 'robots.txt cannot be read%') LIMIT 1"
        )
        return self._database.execute(query, [self._run]).fetchone() is not None


def count_page_reasons(connection: sqlite3.Connection, run: int) -> dict[str, int]:
    """`PageTable.reasons` of any run."""
    rows = connection.execute(
        "SELECT status || ': ' || reason, count(*) FROM pages "
        "WHERE run = ? AND status != 'ok' GROUP BY 1 ORDER BY 1",
        [run],
    )
    return dict(rows.fetchall())
