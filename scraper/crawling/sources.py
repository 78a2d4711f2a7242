"""The sources of a crawl: a store, the demo store, a list of links, a folder."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Generic, TypeVar

from gemkit.errors import UserError, needs_extra
from gemkit.executor.base import worker_count
from gemkit.project import Project
from gemkit.text import printable
from scraper.crawling.discovery import PageReader, save_list
from scraper.crawling.retry_policy import RetryPolicy
from scraper.crawling.session import CrawlSource, Session
from scraper.http.fetcher import Fetcher
from scraper.http.rate_limiter import HostHistory
from scraper.http.reason import Outcome, Reason
from scraper.http.wire.wire import HostOverrides
from scraper.monitoring.missing import UnreadPage
from scraper.params import MISSING, CrawlParams, DemoParams, FolderParams, StoreParams, default_params
from scraper.stores.config import FolderSite, HtmlSite, LinksSite, Site
from scraper.stores.image_folder import Folder, file_name
from scraper.stores.link_list import read_links
from scraper.stores.records import Link
from scraper.tables import ImageStatus, ReasonKind

#: The time at the demo store, later than its newest product: two crawls of it write the same tables.
_DEMO_TIME = datetime(2025, 1, 1, tzinfo=UTC)

#: So many files are named that could not be imported.
_NAMES = 20

_Site = TypeVar("_Site", HtmlSite, LinksSite)


class MissingData(UserError):
    """Data that a site reads from this machine is not where its settings say."""

    kind = "missing_data"

    def __init__(self, site: str, key: str, path: Path, source: str | None):
        origin = f" (from {source})" if source else ""
        super().__init__(
            f"'{key}' of the site '{site}' names '{path}', which does not exist; put the data there{origin}, "
            "or set the key to the path of your copy."
        )
        self.site, self.key, self.path, self.source = site, key, path, source


def choose_source(project: Project, site: Site, params: CrawlParams | None) -> CrawlSource:
    """The source of a site; without `params`, with the defaults of its kind.

    Raises UserError, before anything is written, if it cannot be crawled.
    """
    params = params or default_params(site)
    match site, params:
        case FolderSite(), FolderParams():
            path = project.path(params.folder)
            if not path.exists():
                raise MissingData(site.name, f"crawl.{site.name}.folder", path, site.source)
            return FolderSource(site, path, params.missing)
        case HtmlSite(), DemoParams():
            return DemoSource(site, params, project.cache)
        case HtmlSite(), StoreParams():
            return StoreSource(site, params)
        case LinksSite(), StoreParams():
            return LinksSource(site, params)
    raise UserError(f"'crawl.{site.name}' must hold the settings of a site of the kind '{site.kind}'.")


class _NetworkSource(Generic[_Site]):
    """Images are fetched over the network; `client` exists while the source is open."""

    client: Fetcher

    def __init__(self, site: _Site, params: StoreParams):
        self.site: _Site = site
        self.attempts, self.tolerated = site.limits.attempts, params.missing
        self._params = params
        contact = params.contact or site.contact
        if contact is None:
            raise UserError(
                f"A contact address is required: set 'crawl.{site.name}.contact' in the parameters "
                "(or 'contact' in the site's file) to your e-mail or web address."
            )
        self._contact = contact

    @property
    def concurrency(self) -> int:
        """How many requests are sent to a host at a time."""
        return self.site.limits.concurrency

    def retries(self) -> RetryPolicy:
        """See CrawlSource."""
        return RetryPolicy(self.attempts, self.site.limits.longest_wait_seconds)

    @property
    def notes(self) -> Sequence[str]:
        """The opt-outs that are switched off."""
        prefix = f"crawl.{self.site.name}"
        return [
            f"{prefix}.{name} is false: the store's opt-out is disregarded"
            for name in self._params.disregarded
        ]

    def clock(self) -> float:
        """See CrawlSource."""
        return time.time()

    @contextmanager
    def open(self, histories: Mapping[str, HostHistory], stop: threading.Event) -> Iterator[None]:
        """See CrawlSource."""
        self._connect(histories, stop, {})
        yield

    def _connect(
        self, histories: Mapping[str, HostHistory], stop: threading.Event, overrides: HostOverrides
    ) -> None:
        self.client = Fetcher(
            self.site.page_hosts,
            self.site.image_hosts,
            self.site.limits,
            self._contact,
            stop,
            overrides,
            histories,
            self._params.respect_x_robots_tag,
            self._params.respect_content_signal,
            send_referer=self.site.referer == "page",
            keep_cookies=self.site.cookies,
        )


class StoreSource(_NetworkSource[HtmlSite]):
    """A store whose pages are read."""

    def discover(self, session: Session) -> Iterable[Link]:
        """See CrawlSource."""
        return PageReader(session, self.site, self.client).discover()


class DemoSource(StoreSource):
    """The demo store, which runs while the source is open; its images are rendered into `cache`.

    Its clock stands still.
    """

    def __init__(self, site: HtmlSite, params: DemoParams, cache: Path):
        super().__init__(site, StoreParams(missing=params.missing))
        with needs_extra("The demo store", "scraper"):
            from scraper.demo_store.server import start
        self._start, self._demo, self._cache = start, params, cache

    def clock(self) -> float:
        """See CrawlSource."""
        return _DEMO_TIME.timestamp()

    @contextmanager
    def open(self, histories: Mapping[str, HostHistory], stop: threading.Event) -> Iterator[None]:
        """See CrawlSource."""
        demo = self._demo
        with self._start(demo.seed, demo.scale, demo.dirt, cache=self._cache) as store:
            hosts = [*self.site.page_hosts, *self.site.image_hosts]
            self._connect(histories, stop, dict.fromkeys(hosts, (store.host, store.port)))
            yield


class LinksSource(_NetworkSource[LinksSite]):
    """A store with a known list of image links: no page is read."""

    def __init__(self, site: LinksSite, params: StoreParams):
        super().__init__(site, params)
        if not site.links.exists():
            raise MissingData(site.name, "links", site.links, site.source)

    def discover(self, session: Session) -> Iterable[Link]:
        """See CrawlSource."""
        return save_list(session, read_links(self.site))


class FolderSource:
    """The images of a folder or zip at a path on this machine."""

    notes: Sequence[str] = ()
    attempts = 1

    def __init__(self, site: FolderSite, path: Path, tolerated: float = MISSING):
        self.site, self.tolerated = site, tolerated
        self.client = Folder(path, site.limits.max_image_bytes)
        self._links = self.client.links()  # raises before anything is written

    @property
    def concurrency(self) -> int:
        """How many files are read at a time."""
        return worker_count()

    def retries(self) -> RetryPolicy:
        """See CrawlSource."""
        return RetryPolicy(self.attempts, longest_wait=0.0)

    def clock(self) -> float:
        """See CrawlSource."""
        return time.time()

    @contextmanager
    def open(self, histories: Mapping[str, HostHistory], stop: threading.Event) -> Iterator[None]:
        """See CrawlSource."""
        yield

    def discover(self, session: Session) -> Iterable[Link]:
        """See CrawlSource."""
        for name, reason in self.client.unlisted():
            outcome = Outcome(ImageStatus.FAILED, reason)
            session.unread.append(UnreadPage([PurePosixPath(name).name], lists=True, outcome=outcome))
        return save_list(session, self._links)

    def name_unread(self, session: Session) -> None:
        """Add to the summary which files could not be imported, and why."""
        unread = list(session.state.images.not_stored())
        notes = [f"{printable(file_name(url))}: {outcome.reason}" for url, outcome in unread[:_NAMES]]
        session.summary.notes += notes
        if len(unread) > _NAMES:
            session.summary.notes.append(f"and {len(unread) - _NAMES} more files")
        reasons = [outcome.reason for _, outcome in unread] + [page.outcome.reason for page in session.unread]
        if self.client.path.is_dir() and any(_leads_out(reason) for reason in reasons):
            session.summary.notes.append(
                "links that lead out of the folder are not followed: import a copy with the files in it, "
                f"'cp -rL {self.client.path} COPY' makes one"
            )


def _leads_out(reason: Reason | None) -> bool:
    return reason is not None and reason.kind == ReasonKind.FILE_OUTSIDE
