"""Crawl a store: find everything first, then download; see `scraper.state` for what survives a kill."""

import fcntl
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gemkit.errors import UserError
from gemkit.memo import CACHE
from gemkit.progress import Progress
from gemkit.tables import write_text
from scraper import manifest
from scraper.crew import work
from scraper.document import Document
from scraper.fetch import Fetcher, NotFetched
from scraper.frontier import Frontier, PageJob
from scraper.governor import Blocked
from scraper.images import TOO_MANY_PIXELS, ImageStore, InvalidImage, StoredImage
from scraper.pages import READERS, VERSION, Found, Product
from scraper.params import DemoParams, StoreParams
from scraper.site import Site
from scraper.state import ImageJob, PageRow, State
from scraper.summary import Summary
from scraper.transport import Elsewhere

RAW = Path("data/raw")

#: Threads beyond the host's places: some wait for a retry while others ask.
_SPARE_THREADS = 4


def crawl_site(site: Site, params: DemoParams | StoreParams) -> Summary:
    """Crawl a store into `data/raw/<site>`; starts the demo store for a site that it serves.

    The summary says whether the store let us finish. Raises UserError when it cannot be crawled at all.
    """
    contact = (params.contact if isinstance(params, StoreParams) else None) or site.contact
    if contact is None:
        raise UserError(
            f"The store must know whom to complain to: set 'crawl.{site.name}.contact' in the parameters "
            "(or 'contact' in the site's file) to an e-mail or web address of yours."
        )
    with _only_one(site):
        if isinstance(params, StoreParams):
            return _crawl(site, contact, {})
        from scraper.demo_store.server import start

        with start(params.seed, params.scale, params.dirt) as store:
            hosts = [*site.page_hosts, *site.image_hosts]
            return _crawl(site, contact, dict.fromkeys(hosts, (store.host, store.port)))


def _crawl(site: Site, contact: str, elsewhere: Elsewhere) -> Summary:
    folder = RAW / site.name
    folder.mkdir(parents=True, exist_ok=True)
    state = State(CACHE / "crawl" / f"{site.name}.sqlite", folder, site.name)
    stop = threading.Event()
    fetcher = Fetcher(site, contact, stop, elsewhere, state.blocks())
    crawl = _Crawl(site, state, fetcher, ImageStore(folder, site.limits.max_image_pixels), stop)
    started = time.monotonic()
    try:
        crawl.run()
    except Blocked as block:
        until = datetime.fromtimestamp(block.until).strftime("%Y-%m-%d %H:%M")
        crawl.summary.ended = "blocked"
        crawl.summary.block = f"{block.host} turned us away ({block.reason}) and is left alone until {until}"
        state.block(block.host, block.until, block.reason)
        state.mark_blocked(f"{block.host}: {block.reason}")
    except KeyboardInterrupt:
        crawl.summary.ended = "interrupted"
        raise
    except BaseException:
        crawl.summary.ended = "failed"
        raise
    finally:
        stop.set()
        crawl.images.clear()
        manifest.write(site.name, folder, state)
        crawl.summary.seconds = round(time.monotonic() - started, 3)
        crawl.summary.take_counters(fetcher.counters, started)
        write_text(
            CACHE / "crawl" / f"{site.name}.summary.json",
            json.dumps(crawl.summary.to_json(), indent=1) + "\n",
        )
        state.close()
    return crawl.summary


@contextmanager
def _only_one(site: Site) -> Iterator[None]:
    path = CACHE / "crawl" / f"{site.name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"'{site.name}' is being crawled already ('{path}' is locked); wait for it to end."
            ) from None
        yield


@dataclass(frozen=True)
class _Page:
    """What became of a page: read anew (`found`), unchanged (neither), or not read (`failure`)."""

    found: Found | None = None
    headers: dict[str, str] | None = None
    failure: NotFetched | None = None


@dataclass(frozen=True)
class _Image:
    """What became of an image: stored, unchanged (neither), or not stored (`failure`)."""

    stored: StoredImage | None = None
    headers: dict[str, str] | None = None
    failure: NotFetched | None = None


class _Crawl:
    def __init__(self, site: Site, state: State, fetcher: Fetcher, images: ImageStore, stop: threading.Event):
        self.site, self.state, self.fetcher, self.images, self.stop = site, state, fetcher, images, stop
        self.summary = Summary(site.name)
        self._threads = site.limits.concurrency + _SPARE_THREADS
        reading = site.model_dump_json(
            include={"kind", "categories", "pagination", "products", "product", "images"}
        )
        self._readers = hashlib.sha256(f"{VERSION} {reading}".encode()).hexdigest()[:16]

    def run(self) -> None:
        self.state.forget_lost_files()
        frontier = Frontier(self.site)
        try:
            self._find(frontier)
        except BaseException:
            self.state.list_products(self._products(frontier), complete=False)
            raise
        self.state.list_products(self._products(frontier), complete=True)
        self._check_listing(frontier)
        self._download()
        self.state.finish()
        self.images.keep_only(self.state.paths())

    # Finding

    def _find(self, frontier: Frontier) -> None:
        with Progress(f"{self.site.name}: find", unit="pages") as progress:

            def take() -> tuple[PageJob, PageRow | None] | None:
                while (job := frontier.take()) is not None:
                    row = self.state.page(job.role, job.url)
                    if row is None or not self._settled(row):
                        return job, row
                    frontier.follow(job, _kept(row))
                return None

            def show(count: int) -> None:
                progress.total, progress.note = frontier.count, self.fetcher.describe()
                progress.advance(count)

            for (job, row), page in work(take, self._read, self._threads, self.stop, lambda: show(0)):
                frontier.follow(job, self._settle(job, row, page))
                show(1)
        self.summary.pages_by_reason = self.state.page_reasons()
        self.summary.notes += [
            f"stopped at {self.site.limits.max_category_pages} pages of {url}" for url in frontier.endless
        ]

    def _settled(self, row: PageRow) -> bool:
        return row.settled and (row.found is None or row.readers == self._readers)

    def _read(self, task: tuple[PageJob, PageRow | None]) -> _Page:
        job, row = task
        validators = {}
        if row is not None and row.found is not None and row.readers == self._readers:
            validators = _validators(row.etag, row.last_modified)
        try:
            answer = self.fetcher.page(job.url, validators)
        except NotFetched as failure:
            return _Page(failure=failure)
        if answer.status == 304:
            return _Page()
        document = Document(answer.url, answer.body)
        return _Page(READERS[self.site.kind](self.site, job.role, document), answer.headers)

    def _settle(self, job: PageJob, row: PageRow | None, page: _Page) -> Found:
        if page.found is not None:
            self._check_start(job, page.found)
            self.summary.pages += 1
            self.state.settle_page(
                job.role, job.url, "ok", None, page.headers or {}, self._readers, page.found.to_json()
            )
            return page.found
        if page.failure is None:
            self.summary.pages_unchanged += 1
            self.state.keep_page(job.role, job.url, "ok", None)
        else:
            if job.role == "start":
                raise UserError(
                    f"The store cannot be crawled: {job.url} gave '{page.failure.reason}'; try again later, "
                    f"or correct 'start_url' of the site '{self.site.name}'."
                )
            self.state.keep_page(job.role, job.url, page.failure.status, page.failure.reason)
        return _kept(self.state.page(job.role, job.url))

    def _check_start(self, job: PageJob, found: Found) -> None:
        if job.role == "start" and not found.categories:
            raise UserError(
                f"No category was found on {job.url}: the store has changed, correct 'categories' of the "
                f"site '{self.site.name}'."
            )

    def _products(self, frontier: Frontier) -> Iterator[tuple[str, Product, list[str]]]:
        role = "category" if self.site.products is None else "product"
        for url in frontier.product_categories:
            row = self.state.page(role, url)
            product = _kept(row).product
            if product is not None:
                self.summary.found += len(product.images)
                yield url, product, frontier.classes(url)

    def _check_listing(self, frontier: Frontier) -> None:
        self.summary.distinct = self.state.listed_count()
        if self.summary.distinct > 0:
            return
        self.state.finish()  # the next crawl reads the pages again
        if not frontier.product_categories:
            what, key = f"product was found from {self.site.start_url} on", "products"
        else:
            what, key = "image was found on the product pages", "images"
        raise UserError(f"No {what}: the store has changed, correct '{key}' of the site '{self.site.name}'.")

    # Downloading

    def _download(self) -> None:
        pending = self.state.pending()
        jobs = iter(pending)
        with Progress(f"{self.site.name}: download", len(pending)) as progress:

            def show(count: int) -> None:
                progress.note = self.fetcher.describe()
                progress.advance(count)

            def take() -> ImageJob | None:
                for job in jobs:
                    if job.sha256 is None or job.etag or job.last_modified:
                        return job
                    # Nothing to ask by whether it changed, and stores give a changed photo a new URL.
                    self._settle_image(job, _Image())
                    show(1)
                return None

            for job, image in work(take, self._fetch_image, self._threads, self.stop, lambda: show(0)):
                self._settle_image(job, image)
                show(1)

    def _fetch_image(self, job: ImageJob) -> _Image:
        try:
            answer = self.fetcher.image(job.url, _validators(job.etag, job.last_modified))
        except NotFetched as failure:
            return _Image(failure=failure)
        if answer.status == 304:
            return _Image()
        try:
            return _Image(self.images.add(answer.body), answer.headers)
        except InvalidImage as error:
            # Our own limits may be raised one day; what is no image stays none until it changes.
            known = {} if str(error) == TOO_MANY_PIXELS else answer.headers
            return _Image(headers=known, failure=NotFetched("invalid", str(error)))

    def _settle_image(self, job: ImageJob, image: _Image) -> None:
        summary = self.summary
        if image.stored is not None:
            self.state.settle_image(job.url, image.stored, image.headers or {})
            if job.sha256 is None:
                summary.added += 1
            elif job.sha256 == image.stored.sha256:
                summary.unchanged += 1
            else:
                summary.changed += 1
            return
        status, reason = job.unchanged
        if image.failure is not None:
            status, reason = image.failure.status, image.failure.reason
        self.state.keep_image(job.url, status, reason)
        if image.headers is not None and job.sha256 is None:
            self.state.keep_validators(job.url, image.headers)
        if status == "ok":
            summary.unchanged += 1
        else:
            summary.by_reason[f"{status}: {reason}"] = summary.by_reason.get(f"{status}: {reason}", 0) + 1


def _kept(row: PageRow | None) -> Found:
    """What a page said when it was last read; nothing once it is gone."""
    return Found() if row is None or row.found is None or row.status == "gone" else Found.from_json(row.found)


def _validators(etag: str | None, last_modified: str | None) -> dict[str, str]:
    validators = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    return {name: value for name, value in validators.items() if value and value.isascii()}
