"""What a crawl and a plan share: the lock, the state, the image source, and how they end."""

import fcntl
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from gemkit.errors import UserError
from gemkit.executor.base import worker_count
from gemkit.memo import CACHE
from gemkit.progress import Progress
from gemkit.tables import write_text
from scraper.http.errors import Blocked
from scraper.http.fetcher import Fetcher
from scraper.http.reason import Reason
from scraper.monitoring.heartbeat import SnapshotWriter
from scraper.monitoring.summary import Summary
from scraper.params import CrawlParams, DemoParams, FolderParams, StoreParams
from scraper.storage.crawl_state import CrawlState
from scraper.storage.export import write_tables
from scraper.storage.image_store import ImageStore
from scraper.stores.config import FolderSite, Site, Store
from scraper.stores.image_folder import Folder
from scraper.tables import ReasonKind

RAW = Path("data/raw")
STATE_FOLDER = CACHE / "crawl"
METRICS = Path("metrics/crawl")

#: Threads beyond the allowed concurrency: some wait for a retry while others send requests.
_SPARE_THREADS = 4

#: `gemscrape status` holds the lock for a moment when it looks at it.
_LOCK_ATTEMPTS = 5

_PAUSE = Reason(ReasonKind.PAUSE, "it asked us to wait")

#: A crawl may run all night: its log has one line a minute.
_LINE_SECONDS = 60.0


@dataclass(frozen=True)
class Session:
    """One command's work on one site. `stop`, once set, ends all waiting."""

    site: Site
    state: CrawlState
    source: Fetcher | Folder
    images: ImageStore
    stop: threading.Event
    summary: Summary
    snapshots: SnapshotWriter
    started: float = field(default_factory=time.monotonic)

    @property
    def concurrency(self) -> int:
        """How many items are fetched at a time."""
        return worker_count() if isinstance(self.site, FolderSite) else self.site.limits.concurrency

    @property
    def threads(self) -> int:
        """How many threads fetch, or wait for a retry."""
        return self.concurrency + _SPARE_THREADS

    def max_in_flight(self) -> int:
        """How many items may be in flight: after a kill, those are requested again."""
        return min(self.threads, self.concurrency + self.source.retrying)

    @contextmanager
    def track_progress(self, phase: str, unit: str) -> Iterator[Callable[[int, int], None]]:
        """Show the progress of a phase: `update(count, total)` counts that many of its items as done."""
        with Progress(f"{self.site.name}: {phase}", unit=unit, line_seconds=_LINE_SECONDS) as progress:

            def update(count: int, total: int) -> None:
                progress.total, progress.note = total, self.source.describe()
                progress.advance(count)
                if self.snapshots.update(phase, progress.done, total):
                    self.save_hosts()

            yield update

    def save_hosts(self) -> None:
        """Save the rates found so far and the pauses that hosts asked for, for the next crawl."""
        for limiter in self.source.rate_limiters:
            if limiter.waiting > 1:
                self.state.hosts.save_block(limiter.host, time.time() + limiter.waiting, _PAUSE)
        if not isinstance(self.site, FolderSite) and self.site.limits.requests_per_second is None:
            for limiter in self.source.rate_limiters:
                controller = limiter.controller
                self.state.hosts.save_rate(limiter.host, controller.rate, controller.converged)


@contextmanager
def open_session(site: Site, params: CrawlParams, record: Path | None = None) -> Iterator[Session]:
    """Work on a site into `data/raw/<site>`; starts the demo store for a site that it serves.

    At the end the tables are written, and the summary into the file `record`. A block ends the work early,
    without an exception: see the summary. Raises UserError if the site cannot be crawled at all.
    """
    open_source = _source_factory(site, params)
    with _site_lock(site), _session(site, params, open_source) as session:
        try:
            with _record_outcome(session):
                yield session
        finally:
            if record is not None:
                write_text(record, json.dumps(session.summary.to_json(), indent=1) + "\n")


@contextmanager
def _site_lock(site: Site) -> Iterator[None]:
    """Keep other processes from working on the site. Raises UserError if one does already."""
    path = STATE_FOLDER / f"{site.name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        for _ in range(_LOCK_ATTEMPTS):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.1)
        else:
            raise UserError(
                f"'{site.name}' is being crawled already ('{path}' is locked); wait for that crawl to end."
            )
        yield


#: Factory for the session's image source; called with the session's state and its `stop`.
SourceFactory = Callable[[CrawlState, threading.Event], AbstractContextManager[Fetcher | Folder]]


def _source_factory(site: Site, params: CrawlParams) -> SourceFactory:
    """Raises UserError, before anything is written, if the site cannot be crawled."""
    if isinstance(site, FolderSite):
        assert isinstance(params, FolderParams)
        folder = Folder(params.folder, site.limits.max_image_bytes)
        return lambda state, stop: nullcontext(folder)
    contact = (params.contact if isinstance(params, StoreParams) else None) or site.contact
    if contact is None:
        raise UserError(
            f"A contact address is required: set 'crawl.{site.name}.contact' in the parameters "
            "(or 'contact' in the site's file) to your e-mail or web address."
        )
    return partial(_open_fetcher, site, params, contact)


@contextmanager
def _open_fetcher(
    site: Store, params: CrawlParams, contact: str, state: CrawlState, stop: threading.Event
) -> Iterator[Fetcher]:
    hosts = (site.page_hosts, site.image_hosts)
    if isinstance(params, DemoParams):
        from scraper.demo_store.server import start

        with start(params.seed, params.scale, params.dirt) as store:
            overrides = dict.fromkeys([*site.page_hosts, *site.image_hosts], (store.host, store.port))
            yield Fetcher(*hosts, site.limits, contact, stop, overrides, state.hosts.histories())
        return
    assert isinstance(params, StoreParams)
    respect = (params.respect_x_robots_tag, params.respect_content_signal)
    yield Fetcher(*hosts, site.limits, contact, stop, {}, state.hosts.histories(), *respect)


@contextmanager
def _session(site: Site, params: CrawlParams, open_source: SourceFactory) -> Iterator[Session]:
    folder = RAW / site.name
    folder.mkdir(parents=True, exist_ok=True)
    state = CrawlState(STATE_FOLDER / f"{site.name}.sqlite", folder)
    stop = threading.Event()
    with closing(state), open_source(state, stop) as source:
        summary = Summary(site.name)
        for name in params.disregarded if isinstance(params, StoreParams) else []:
            note = f"crawl.{site.name}.{name} is false: the store's opt-out is disregarded"
            summary.notes.append(note)
            print(f"{site.name}: {note}", file=sys.stderr, flush=True)
        images = ImageStore(folder, site.limits.max_image_pixels)
        path = STATE_FOLDER / f"{site.name}.heartbeat.json"
        snapshots = SnapshotWriter(path, lambda: source.rate_limiters)
        yield Session(site, state, source, images, stop, summary, snapshots)


@contextmanager
def _record_outcome(session: Session) -> Iterator[None]:
    """Record in the summary how the session ended, whatever happens, and leave complete tables behind."""
    summary, state = session.summary, session.state
    try:
        yield
    except Blocked as block:
        until = datetime.fromtimestamp(block.until).strftime("%Y-%m-%d %H:%M")
        summary.ended = "blocked"
        summary.block = f"{block.host} blocked us ({block.reason}) and is not contacted until {until}"
        state.hosts.save_block(block.host, block.until, block.reason)
        state.images.mark_blocked(Reason(block.reason.kind, f"{block.host}: {block.reason}"))
    except KeyboardInterrupt:
        summary.ended = "interrupted"
        raise
    except BaseException:
        summary.ended = "failed"
        raise
    finally:
        session.stop.set()
        session.images.close(state.images.paths())
        session.save_hosts()
        summary.gone, summary.images = state.images.gone_count(), state.images.statuses()
        write_tables(session.site.name, RAW / session.site.name, state)
        summary.seconds = round(time.monotonic() - session.started, 3)
        summary.add_host_counters(session.source.rate_limiters, session.started)
