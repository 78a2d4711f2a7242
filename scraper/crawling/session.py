"""What a crawl and a plan share: the lock, the state, where images come from, and how they end."""

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
from scraper.http.fetcher import Fetcher
from scraper.http.rate_limiter import Blocked
from scraper.monitoring.heartbeat import LiveFile
from scraper.monitoring.summary import Summary
from scraper.params import CrawlParams, DemoParams, FolderParams, StoreParams
from scraper.storage import export as manifest
from scraper.storage.crawl_state import State
from scraper.storage.image_store import ImageStore
from scraper.stores.config import FolderSite, Site, Store
from scraper.stores.image_folder import Folder

RAW = Path("data/raw")
FOLDER = CACHE / "crawl"
METRICS = Path("metrics/crawl")

#: Threads beyond the host's places: some wait for a retry while others ask.
_SPARE_THREADS = 4

#: `gemscrape status` looks at the lock, and has it for a moment.
_LOCK_ATTEMPTS = 5

#: A crawl goes on for a night: its log has a line a minute.
_LINE_SECONDS = 60.0


@dataclass(frozen=True)
class Session:
    """One command's work on one site. `stop`, once set, ends all waiting."""

    site: Site
    state: State
    source: Fetcher | Folder
    images: ImageStore
    stop: threading.Event
    summary: Summary
    live: LiveFile
    started: float = field(default_factory=time.monotonic)

    @property
    def concurrency(self) -> int:
        """How many items are asked for at a time."""
        return worker_count() if isinstance(self.site, FolderSite) else self.site.limits.concurrency

    @property
    def threads(self) -> int:
        """How many threads ask, or wait to ask again."""
        return self.concurrency + _SPARE_THREADS

    def places(self) -> int:
        """How many items may be in work: what is in work at a kill is asked for again."""
        return min(self.threads, self.concurrency + self.source.retrying)

    @contextmanager
    def watched(self, phase: str, unit: str) -> Iterator[Callable[[int, int], None]]:
        """Show a phase to whoever watches: `show(count, total)` counts items of it as done."""
        with Progress(f"{self.site.name}: {phase}", unit=unit, line_seconds=_LINE_SECONDS) as progress:

            def show(count: int, total: int) -> None:
                progress.total, progress.note = total, self.source.describe()
                progress.advance(count)
                if self.live.update(phase, progress.done, total):
                    self.remember_hosts()

            yield show

    def remember_hosts(self) -> None:
        """Keep the rates that are being found and the waits that are asked for, for the next crawl."""
        for governor in self.source.governors:
            if governor.waiting > 1:
                self.state.block(governor.host, time.time() + governor.waiting, "it asked us to wait")
        if not isinstance(self.site, FolderSite) and self.site.limits.requests_per_second is None:
            for governor in self.source.governors:
                self.state.remember_rate(governor.host, governor.pace.rate, governor.pace.settled)


@contextmanager
def open_session(site: Site, params: CrawlParams, record: Path | None = None) -> Iterator[Session]:
    """Work on a site into `data/raw/<site>`; starts the demo store for a site that it serves.

    Ends with the tables written, and the summary in the file `record`. A block ends the work early, without
    an exception: the summary tells. Raises UserError when the site cannot be worked on at all.
    """
    open_source = _opener(site, params)
    with _only_one(site), _session(site, params, open_source) as session:
        try:
            with _ended(session):
                yield session
        finally:
            if record is not None:
                write_text(record, json.dumps(session.summary.to_json(), indent=1) + "\n")


@contextmanager
def _only_one(site: Site) -> Iterator[None]:
    """Keep others from working on the site. Raises UserError when another does."""
    path = FOLDER / f"{site.name}.lock"
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
                f"'{site.name}' is being crawled already ('{path}' is locked); wait for it to end."
            )
        yield


#: Opens what a session's images come from; called with its state and its `stop`.
Opener = Callable[[State, threading.Event], AbstractContextManager[Fetcher | Folder]]


def _opener(site: Site, params: CrawlParams) -> Opener:
    """Raises UserError, before anything is written, when the site cannot be worked on."""
    if isinstance(site, FolderSite):
        assert isinstance(params, FolderParams)
        folder = Folder(params.folder, site.limits.max_image_bytes)
        return lambda state, stop: nullcontext(folder)
    contact = (params.contact if isinstance(params, StoreParams) else None) or site.contact
    if contact is None:
        raise UserError(
            f"The store must know whom to complain to: set 'crawl.{site.name}.contact' in the parameters "
            "(or 'contact' in the site's file) to an e-mail or web address of yours."
        )
    return partial(_ask, site, params, contact)


@contextmanager
def _ask(
    site: Store, params: CrawlParams, contact: str, state: State, stop: threading.Event
) -> Iterator[Fetcher]:
    if isinstance(params, DemoParams):
        from scraper.demo_store.server import start

        with start(params.seed, params.scale, params.dirt) as store:
            elsewhere = dict.fromkeys([*site.page_hosts, *site.image_hosts], (store.host, store.port))
            yield Fetcher(
                site.page_hosts, site.image_hosts, site.limits, contact, stop, elsewhere, state.hosts()
            )
        return
    assert isinstance(params, StoreParams)
    heeded = (params.heed_x_robots_tag, params.heed_content_signal)
    yield Fetcher(site.page_hosts, site.image_hosts, site.limits, contact, stop, {}, state.hosts(), *heeded)


@contextmanager
def _session(site: Site, params: CrawlParams, open_source: Opener) -> Iterator[Session]:
    folder = RAW / site.name
    folder.mkdir(parents=True, exist_ok=True)
    state = State(FOLDER / f"{site.name}.sqlite", folder, site.name)
    stop = threading.Event()
    with closing(state), open_source(state, stop) as source:
        summary = Summary(site.name)
        for name in params.unheeded if isinstance(params, StoreParams) else []:
            note = f"crawl.{site.name}.{name} is false: the store's wish is not heeded"
            summary.notes.append(note)
            print(f"{site.name}: {note}", file=sys.stderr, flush=True)
        images = ImageStore(folder, site.limits.max_image_pixels)
        live = LiveFile(FOLDER / f"{site.name}.live.json", lambda: source.governors)
        yield Session(site, state, source, images, stop, summary, live)


@contextmanager
def _ended(session: Session) -> Iterator[None]:
    """Say in the summary how it ended, whatever happens, and leave whole tables behind."""
    summary, state = session.summary, session.state
    try:
        yield
    except Blocked as block:
        until = datetime.fromtimestamp(block.until).strftime("%Y-%m-%d %H:%M")
        summary.ended = "blocked"
        summary.block = f"{block.host} turned us away ({block.reason}) and is left alone until {until}"
        state.block(block.host, block.until, block.reason)
        state.mark_blocked(f"{block.host}: {block.reason}")
    except KeyboardInterrupt:
        summary.ended = "interrupted"
        raise
    except BaseException:
        summary.ended = "failed"
        raise
    finally:
        session.stop.set()
        session.images.close(state.paths())
        session.remember_hosts()
        summary.gone, summary.images = state.gone_count(), state.statuses()
        manifest.write(session.site.name, RAW / session.site.name, state)
        summary.seconds = round(time.monotonic() - session.started, 3)
        summary.take_counters(session.source.governors, session.started)
