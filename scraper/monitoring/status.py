"""`gemscrape status`: the progress of a site's crawl, while it runs and afterwards."""

import fcntl
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from gemkit.errors import UserError, did_you_mean
from gemkit.project import Project
from scraper.http.reason import Outcome, Reason
from scraper.monitoring.heartbeat import CrawlSnapshot, read_snapshot, snapshot_file
from scraper.monitoring.summary import format_counts, report_file
from scraper.storage.crawl_state import state_file
from scraper.storage.page_table import count_page_failures
from scraper.storage.schema import read_only


class HostBlock(NamedTuple):
    """A host that rejects us until a wall clock time, and why."""

    host: str
    until: float
    reason: Reason | None


@dataclass(frozen=True)
class Status:
    """The state of a site's crawl; times are wall clock seconds, counts are those of the run `started`.

    `images` counts all known images by status. `done` counts the listed images that the run has finished.
    `report` is the file with the rates and waits of the last crawl, if one has ended.
    """

    site: str
    running: bool
    started: float
    finished: float | None
    pages: int
    pages_failed: dict[Outcome, int]
    listed: int
    done: int
    images: dict[str, int]
    blocks: list[HostBlock]
    snapshot: CrawlSnapshot | None
    report: Path | None

    def lines(self) -> list[str]:
        """The status as lines to print; without untrusted text."""
        lines = [f"{self.site}: {self._state()}"]
        lines.append(f"pages       {self.pages} done{format_counts(self.pages_failed)}")
        lines.append(f"images      {self.done} of {self.listed} listed done")
        known = ", ".join(f"{count} {status}" for status, count in self.images.items())
        lines.append(f"known       {known or 'no images yet'}")
        if self.running and self.snapshot:
            lines += [
                f"{host.host}  {host.rate_now:.3g}/s of {host.rate_allowed:.3g}/s "
                + ("allowed" if host.converged else "tried")
                + (f", waiting {host.waiting:.0f} s" if host.waiting > 0 else "")
                + f", {host.requests} requests, {host.rejections} rejections, {host.failures} failures"
                for host in self.snapshot.hosts
            ]
        if self.report:
            lines.append(f"report      {self.report}, on the last crawl that ended")
        lines += [
            f"{block.host}  blocked until {_time(block.until)} ({block.reason})" for block in self.blocks
        ]
        return lines

    def _state(self) -> str:
        if self.running:
            snapshot = self.snapshot
            doing = f", {snapshot.phase} {snapshot.done} of {snapshot.total} known" if snapshot else ""
            return f"crawling since {_time(snapshot.started if snapshot else self.started)}{doing}"
        if self.finished is not None:
            return f"finished on {_time(self.finished)}"
        return (
            f"unfinished, begun on {_time(self.started)}; 'gemscrape crawl --site {self.site}' continues it"
        )


def read_status(project: Project, site: str) -> Status:
    """The status of a site's crawl in a project. Raises UserError if it was never crawled there."""
    path = state_file(project, site)
    if not path.exists():
        crawled = sorted(file.stem for file in project.crawl_state.glob("*.sqlite"))
        raise UserError(f"'{site}' was never crawled here{did_you_mean(site, 'crawled sites', crawled)}.")
    snapshot = read_snapshot(snapshot_file(project, site))
    report = report_file(project, site)
    running = _is_locked(project.crawl_state / f"{site}.lock")
    try:
        with closing(read_only(path)) as database:
            return _read(database, site, running, snapshot, report if report.exists() else None)
    except sqlite3.DatabaseError as error:
        raise UserError(f"Cannot read '{path}': {error}; 'gemscrape crawl' repairs it.") from None


def _read(
    database: sqlite3.Connection,
    site: str,
    running: bool,
    snapshot: CrawlSnapshot | None,
    report: Path | None,
) -> Status:
    row = database.execute("SELECT id, started, finished FROM runs ORDER BY id DESC LIMIT 1").fetchone()
    run, started, finished = row or (0, time.time(), None)
    ((pages,),) = database.execute("SELECT count(*) FROM pages WHERE run = ?", [run])
    ((listed, done),) = database.execute(
        "SELECT count(*), coalesce(sum(run = listed), 0) FROM images WHERE listed = ?", [run]
    )
    return Status(
        site,
        running,
        started,
        finished,
        pages,
        count_page_failures(database, run),
        listed,
        done,
        dict(
            database.execute(
                "SELECT coalesce(status, 'to do'), count(*) FROM images GROUP BY 1 ORDER BY 2 DESC"
            ).fetchall()
        ),
        [
            HostBlock(host, until, Reason.stored(kind, reason))
            for host, until, kind, reason in database.execute(
                "SELECT host, blocked_until, reason_kind, reason FROM hosts WHERE blocked_until > ?",
                [time.time()],
            )
        ],
        snapshot,
        report,
    )


def _is_locked(path: Path) -> bool:
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")
