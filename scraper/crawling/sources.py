"""The sources of a crawl: a store, the demo store, a list of links, a folder."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from gemkit.errors import UserError, needs_extra
from gemkit.executor.base import worker_count
from scraper.crawling.discovery import PageReader, save_list
from scraper.crawling.session import CrawlSource, Session
from scraper.http.fetcher import Fetcher
from scraper.http.rate_limiter import HostHistory
from scraper.http.transport import HostOverrides
from scraper.params import CrawlParams, DemoParams, FolderParams, StoreParams
from scraper.stores.config import FolderSite, HtmlSite, LinksSite, Site
from scraper.stores.image_folder import Folder
from scraper.stores.link_list import read_links
from scraper.stores.records import Link

_Site = TypeVar("_Site", HtmlSite, LinksSite)


def choose_source(site: Site, params: CrawlParams) -> CrawlSource:
    """The source of a site. Raises UserError, before anything is written, if it cannot be crawled."""
    match site, params:
        case FolderSite(), FolderParams():
            return FolderSource(site, params)
        case HtmlSite(), DemoParams():
            return DemoSource(site, params)
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
        """How many requests are sent at a time."""
        return self.site.limits.concurrency

    @property
    def notes(self) -> Sequence[str]:
        """The opt-outs that are switched off."""
        prefix = f"crawl.{self.site.name}"
        return [
            f"{prefix}.{name} is false: the store's opt-out is disregarded"
            for name in self._params.disregarded
        ]

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
        )


class StoreSource(_NetworkSource[HtmlSite]):
    """A store whose pages are read."""

    def discover(self, session: Session) -> Iterable[Link]:
        """See CrawlSource."""
        return PageReader(session, self.site, self.client).discover()


class DemoSource(StoreSource):
    """The demo store, which runs while the source is open."""

    def __init__(self, site: HtmlSite, params: DemoParams):
        super().__init__(site, StoreParams())
        self._demo = params

    @contextmanager
    def open(self, histories: Mapping[str, HostHistory], stop: threading.Event) -> Iterator[None]:
        """See CrawlSource."""
        with needs_extra("The demo store", "scraper"):
            from scraper.demo_store.server import start

        with start(self._demo.seed, self._demo.scale, self._demo.dirt) as store:
            hosts = [*self.site.page_hosts, *self.site.image_hosts]
            self._connect(histories, stop, dict.fromkeys(hosts, (store.host, store.port)))
            yield


class LinksSource(_NetworkSource[LinksSite]):
    """A store with a known list of image links: no page is read."""

    def discover(self, session: Session) -> Iterable[Link]:
        """See CrawlSource."""
        return save_list(session, read_links(self.site))


class FolderSource:
    """A folder or zip of images on this machine."""

    notes: Sequence[str] = ()

    def __init__(self, site: FolderSite, params: FolderParams):
        self.site = site
        self.client = Folder(params.folder, site.limits.max_image_bytes)

    @property
    def concurrency(self) -> int:
        """How many files are read at a time."""
        return worker_count()

    @contextmanager
    def open(self, histories: Mapping[str, HostHistory], stop: threading.Event) -> Iterator[None]:
        """See CrawlSource."""
        yield

    def discover(self, session: Session) -> Iterable[Link]:
        """See CrawlSource."""
        return save_list(session, self.client.links())
