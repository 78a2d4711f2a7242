"""Shared by a crawl and a plan: the source, the state, the image store, and how they end."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gemkit.progress import Progress
from gemkit.project import Project
from gemkit.tables import write_text
from scraper.crawling.retry_policy import RetryPolicy
from scraper.crawling.site_lock import lock_site
from scraper.http.errors import Blocked
from scraper.http.rate_limiter import HostHistory, HostRateLimiter
from scraper.http.reason import Reason
from scraper.http.transport import Response
from scraper.monitoring.counts import CrawlCounts, counts_file
from scraper.monitoring.heartbeat import SnapshotWriter, snapshot_file
from scraper.monitoring.missing import UnreadPage
from scraper.monitoring.summary import Ended, Summary, report_file
from scraper.storage.crawl_state import CrawlState, state_file
from scraper.storage.export import write_tables
from scraper.storage.image_store import ImageStore
from scraper.stores.config import Site
from scraper.stores.records import Link
from scraper.tables import ReasonKind

#: A crawl may run all night: its log has one line a minute.
_LINE_SECONDS = 60.0

#: A host with these reasons did not say anything.
_SILENCE = {ReasonKind.NO_CONNECTION, ReasonKind.TIMEOUT, ReasonKind.CONNECTION_CUT}

#: Rows that are written within a second.
_ROWS_IN_A_HURRY = 20_000

_PAUSE = Reason(ReasonKind.PAUSE, "it asked us to wait")


class ImageClient(Protocol):
    """Fetches images, from any number of threads."""

    @property
    def rate_limiters(self) -> Sequence[HostRateLimiter]: ...

    def image(
        self,
        url: str,
        validators: Mapping[str, str],
        first_try: bool = False,
        referer: str | None = None,
    ) -> Response:
        """An image, which the page `referer` shows: 200 with its body, or 304 to `validators`.

        Raises the same as `Fetcher.image`.
        """

    def pause(self, host: str) -> float:
        """Seconds for which a host, by its name with its port, is not to be contacted."""

    def describe(self) -> str:
        """The rate of each host contacted so far."""


class CrawlSource(Protocol):
    """Where a site's images come from; `scraper.crawling.sources` chooses one.

    `concurrency`: how many items of a host are fetched at a time. `notes`: what the user should know about
    this crawl. `attempts`: how often an item is requested that fails. `tolerated`: the share of the images
    that may be missing from a complete crawl.
    """

    @property
    def site(self) -> Site: ...

    @property
    def concurrency(self) -> int: ...

    @property
    def notes(self) -> Sequence[str]: ...

    @property
    def attempts(self) -> int: ...

    @property
    def tolerated(self) -> float: ...

    def retries(self) -> RetryPolicy:
        """Which failed items a phase of the crawl requests again."""

    @property
    def client(self) -> ImageClient:
        """Fetches the images, while the source is open."""

    def clock(self) -> float:
        """The time that the tables show, in seconds since 1970. Rates, waits and blocks follow real time."""

    def open(
        self, histories: Mapping[str, HostHistory], stop: threading.Event
    ) -> AbstractContextManager[None]:
        """Get ready to fetch; `histories` of hosts are those of earlier crawls, `stop` ends all waiting."""

    def discover(self, session: "Session") -> Iterable[Link]:
        """Save all images of the site as listed in the state; returns the links to them, repeats included.

        Pages that could not be read are added to `session.unread`. Raises Blocked, and UserError if nothing
        is found: the site has changed; its file must be corrected.
        """


@dataclass(frozen=True)
class Session:
    """A crawl or a plan of one site. `stop`, once set, ends all waiting; `unread` are pages in trouble."""

    project: Project
    source: CrawlSource
    state: CrawlState
    images: ImageStore
    stop: threading.Event
    summary: Summary
    snapshots: SnapshotWriter
    started: float = field(default_factory=time.monotonic)
    unread: list[UnreadPage] = field(default_factory=list)

    @property
    def client(self) -> ImageClient:
        """Fetches the images of the source."""
        return self.source.client

    @contextmanager
    def track_progress(self, phase: str, unit: str) -> Iterator[Callable[[int, int], None]]:
        """Show the progress of a phase: `update(count, total)` counts that many of its items as done."""
        title = f"{self.source.site.name}: {phase}"
        with Progress(title, unit=unit, line_seconds=_LINE_SECONDS) as progress:

            def update(count: int, total: int) -> None:
                progress.total, progress.note = total, self.client.describe()
                progress.advance(count)
                if self.snapshots.update(phase, progress.done, total):
                    self.save_hosts()

            yield update

    def save_hosts(self) -> None:
        """Save the rates found so far and the pauses that hosts asked for, for the next crawl."""
        hosts = self.state.hosts
        for limiter in self.client.rate_limiters:
            if limiter.waiting > 1 and limiter.counters.rejections:
                hosts.save_block(limiter.host, time.time() + limiter.waiting, _PAUSE)
            if limiter.controller.searching:
                hosts.save_rate(limiter.host, limiter.controller.rate, limiter.controller.converged)

    @property
    def is_resumable(self) -> bool:
        """Whether the crawl was blocked or is incomplete, and a further one may fetch what is left."""
        attempts, state, ended = self.source.attempts, self.state, self.summary.ended
        left = state.images.any_left(attempts) or state.pages.any_left(attempts)
        return ended is Ended.BLOCKED or (ended is Ended.INCOMPLETE and left)

    def save_block(self, block: Blocked) -> None:
        """A host is not to be contacted until its block ends; if it said nothing, our network may be down."""
        if block.reason.kind not in _SILENCE:
            self.state.hosts.save_block(block.host, block.until, block.reason)

    def record_block(self, block: Blocked) -> None:
        """A block ended the work: the summary tells until when, and what is left stays pending."""
        until = datetime.fromtimestamp(block.until).strftime("%Y-%m-%d %H:%M")
        self.summary.ended = Ended.BLOCKED
        what = "is down" if block.reason.kind in _SILENCE or block.reason.is_server_error else "blocked us"
        again = "" if block.reason.kind in _SILENCE else f" and is not contacted until {until}"
        self.summary.block = f"{block.host} {what} ({block.reason}){again}"
        self.save_block(block)
        self.state.images.mark_blocked(Reason(block.reason.kind, f"{block.host}: {block.reason}"))

    def finish(self) -> None:
        """End all waiting, and leave complete tables and counts behind.

        An interrupt must not wait for large tables: those of the crawl before then stay.
        """
        site, state, summary = self.source.site, self.state, self.summary
        self.stop.set()
        self.images.close(state.images.paths())
        self.save_hosts()
        summary.gone, summary.images = state.images.gone_count(), state.images.statuses()
        if summary.ended is Ended.INTERRUPTED and sum(summary.images.values()) > _ROWS_IN_A_HURRY:
            summary.notes.append("the tables are those of the crawl before: a crawl that ends writes them")
        else:
            write_tables(site.name, self.project.raw(site.name), state)
        summary.seconds = round(time.monotonic() - self.started, 3)
        summary.add_host_counters(self.client.rate_limiters, self.started)

    def write_record(self) -> None:
        """Write the counts into the metrics, and the whole summary into a report that git does not track."""
        project, site = self.project, self.source.site.name
        counts = CrawlCounts.of(self.summary, self.state)
        for path, values in (
            (counts_file(project, site), counts.to_json()),
            (report_file(project, site), self.summary.to_json()),
        ):
            write_text(path, json.dumps(values, indent=1) + "\n")


@contextmanager
def open_session(project: Project, source: CrawlSource, record: bool = False) -> Iterator[Session]:
    """Work on a source's site into `data/raw/<site>` of the project.

    At the end the tables are written, and with `record` the counts and the summary too; the run then ends,
    unless a further crawl is to resume it. A block ends the work early, without an exception.
    Raises UserError if the site cannot be crawled at all.
    """
    with ExitStack() as stack:
        session = _start(project, source, stack)
        summary = session.summary
        try:
            try:
                with _ending(summary):
                    yield session
            except Blocked as block:
                session.record_block(block)
            finally:
                with _ending(summary):
                    session.finish()
        finally:
            if record:
                session.write_record()
        if record and not session.is_resumable:
            session.state.runs.finish()


@contextmanager
def _ending(summary: Summary) -> Iterator[None]:
    """Note in the summary that an exception ended the work."""
    try:
        yield
    except KeyboardInterrupt:
        summary.ended = Ended.INTERRUPTED
        raise
    except BaseException:
        summary.ended = Ended.FAILED
        raise


def _start(project: Project, source: CrawlSource, stack: ExitStack) -> Session:
    """Lock the site, open its state and the source; the stack closes them."""
    site = source.site
    folder = project.raw(site.name)
    stack.enter_context(lock_site(site.name, project.crawl_state))
    folder.mkdir(parents=True, exist_ok=True)
    state = CrawlState(state_file(project, site.name), folder, source.clock)
    stack.enter_context(closing(state))
    stop = threading.Event()
    stack.enter_context(source.open(state.hosts.histories(), stop))
    for note in source.notes:
        print(f"{site.name}: {note}", file=sys.stderr, flush=True)
    return Session(
        project,
        source,
        state,
        ImageStore(folder, site.limits.max_image_pixels),
        stop,
        Summary(site.name, notes=list(source.notes)),
        SnapshotWriter(snapshot_file(project, site.name), lambda: source.client.rate_limiters),
    )
