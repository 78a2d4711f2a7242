"""`gemscrape status`: how far a site's crawl is, seen from outside, while it runs and afterwards."""

import fcntl
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gemkit.errors import UserError
from scraper.monitoring.heartbeat import Live, read_live
from scraper.monitoring.summary import counted
from scraper.storage.crawl_state import read_page_reasons
from scraper.storage.schema import read_only


@dataclass(frozen=True)
class Status:
    """What is known of a site's crawl; times are wall clock seconds, counts are of the run `started`.

    `blocks`: hosts that turn us away, with until when and why. `images` counts by status all images known.
    """

    site: str
    running: bool
    started: float
    finished: float | None
    pages: int
    pages_failed: dict[str, int]
    listed: int
    settled: int
    images: dict[str, int]
    blocks: list[tuple[str, float, str]]
    live: Live | None

    def lines(self) -> list[str]:
        """For a person; free of strangers' text."""
        lines = [f"{self.site}: {self._state()}"]
        lines.append(f"pages       {self.pages} settled{counted(self.pages_failed)}")
        lines.append(f"images      {self.settled} of {self.listed} listed settled")
        known = ", ".join(f"{count} {status}" for status, count in self.images.items())
        lines.append(f"known       {known or 'no image yet'}")
        if self.running and self.live:
            lines += [
                f"{host.host}  {host.rate_now:.3g}/s of {host.rate_allowed:.3g}/s "
                + ("allowed" if host.settled else "tried")
                + (f", waiting {host.waiting:.0f} s" if host.waiting > 0 else "")
                + f", {host.requests} requests, turned away {host.turned_away} times, {host.faults} faults"
                for host in self.live.hosts
            ]
        lines += [f"{host}  blocked until {_time(until)} ({reason})" for host, until, reason in self.blocks]
        return lines

    def _state(self) -> str:
        if self.running:
            live = self.live
            doing = f", {live.phase} {live.done} of {live.total} known" if live else ""
            return f"crawling since {_time(live.started if live else self.started)}{doing}"
        if self.finished is not None:
            return f"finished on {_time(self.finished)}"
        return f"cut short (begun on {_time(self.started)}); 'gemscrape crawl' takes it up where it ended"


def read_status(site: str, folder: Path) -> Status:
    """The status of a site from the crawl's `folder`. Raises UserError when it was never crawled."""
    path = folder / f"{site}.sqlite"
    if not path.exists():
        raise UserError(f"'{site}' was never crawled here; run 'gemscrape crawl --site {site}' first.")
    live = read_live(folder / f"{site}.live.json")
    running = _is_locked(folder / f"{site}.lock")
    try:
        with closing(read_only(path)) as database:
            return _read(database, site, running, live)
    except sqlite3.DatabaseError as error:
        raise UserError(f"Cannot read '{path}': {error}; 'gemscrape crawl' repairs it.") from None


def _read(database: sqlite3.Connection, site: str, running: bool, live: Live | None) -> Status:
    row = database.execute("SELECT id, started, finished FROM runs ORDER BY id DESC LIMIT 1").fetchone()
    run, started, finished = row or (0, time.time(), None)
    ((pages,),) = database.execute("SELECT count(*) FROM pages WHERE run = ?", [run])
    ((listed, settled),) = database.execute(
        "SELECT count(*), coalesce(sum(run = listed), 0) FROM images WHERE listed = ?", [run]
    )
    return Status(
        site,
        running,
        started,
        finished,
        pages,
        read_page_reasons(database, run),
        listed,
        settled,
        dict(
            database.execute(
                "SELECT coalesce(status, 'to do'), count(*) FROM images GROUP BY 1 ORDER BY 2 DESC"
            ).fetchall()
        ),
        database.execute(
            "SELECT host, blocked_until, reason FROM hosts WHERE blocked_until > ?", [time.time()]
        ).fetchall(),
        live,
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
