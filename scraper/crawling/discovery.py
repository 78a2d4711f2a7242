"""What a site lists: its pages are read, or its list of links, and the state takes the listing in."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gemkit.errors import UserError
from scraper.crawling.frontier import Frontier, PageJob
from scraper.crawling.session import Session
from scraper.crawling.thread_pool import work
from scraper.http.fetcher import Fetcher, NotFetched
from scraper.storage.jobs import PageRow, validators
from scraper.stores.config import HtmlSite, LinksSite
from scraper.stores.document import Document
from scraper.stores.html_store import READERS, VERSION
from scraper.stores.image_folder import Folder
from scraper.stores.link_list import read_links
from scraper.stores.records import Found, Link, LinkList, Product


def find(session: Session) -> Iterable[Link]:
    """List all images of the site in the state; gives the links to them, repeats included.

    Raises Blocked, and UserError when nothing is found: the site has changed, its file must be corrected.
    """
    site = session.site
    if isinstance(site, HtmlSite):
        return _Pages(session, site).find()
    if isinstance(site, LinksSite):
        return _take_list(session, read_links(site))
    assert isinstance(session.source, Folder)
    return _take_list(session, session.source.links())


def _take_list(session: Session, listed: LinkList) -> list[Link]:
    session.state.list_links(listed.links)
    session.summary.notes += listed.notes
    session.summary.found = len(listed.links)
    session.summary.distinct = session.state.listed_count()
    return listed.links


@dataclass(frozen=True)
class _Page:
    """What became of a page: read anew (`found`), unchanged (neither), or not read (`failure`)."""

    found: Found | None = None
    headers: dict[str, str] | None = None
    failure: NotFetched | None = None


class _Pages:
    """Reads pages from the start page on, until they lead to no others."""

    def __init__(self, session: Session, site: HtmlSite):
        self.session, self.site = session, site
        self.state, self.summary = session.state, session.summary
        assert isinstance(session.source, Fetcher)
        self.fetcher = session.source
        self.frontier = Frontier(site)
        reading = site.model_dump_json(
            include={"kind", "categories", "pagination", "products", "product", "images"}
        )
        self._readers = hashlib.sha256(f"{VERSION} {reading}".encode()).hexdigest()[:16]

    def find(self) -> Iterable[Link]:
        """Read all pages and list what they show. Raises UserError when they show nothing."""
        try:
            self._read_all()
        except BaseException:
            self.state.list_products(self._products(), complete=False)
            raise
        self.state.list_products(self._counted(), complete=True)
        self.summary.distinct = self.state.listed_count()
        self._check_listing()
        return self._links()

    def _read_all(self) -> None:
        session, frontier = self.session, self.frontier
        with session.watched("find", "pages") as show:

            def take() -> tuple[PageJob, PageRow | None] | None:
                while (job := frontier.take()) is not None:
                    row = self.state.page(job.role, job.url)
                    if row is None or not self._settled(row):
                        return job, row
                    frontier.follow(job, _kept(row))
                return None

            for (job, _), page in work(
                take,
                self._read,
                session.threads,
                session.places,
                session.stop,
                lambda: show(0, frontier.count),
            ):
                frontier.follow(job, self._settle(job, page))
                show(1, frontier.count)
        self.summary.pages_by_reason = self.state.page_reasons()
        self.summary.notes += [
            f"stopped at {self.site.limits.max_category_pages} pages of {url}" for url in frontier.endless
        ]

    def _settled(self, row: PageRow) -> bool:
        return row.settled and (row.found is None or row.readers == self._readers)

    def _read(self, task: tuple[PageJob, PageRow | None]) -> _Page:
        job, row = task
        known = row is not None and row.found is not None and row.readers == self._readers
        try:
            answer = self.fetcher.page(job.url, validators(row) if row and known else {})
        except NotFetched as failure:
            return _Page(failure=failure)
        if answer.status == 304:
            return _Page()
        try:
            found = READERS[self.site.kind](self.site, job.role, Document(answer.url, answer.body))
        except Exception as error:  # what one stranger's page does to a parser must not end a night's crawl
            reason = f"cannot be understood ({type(error).__name__})"
            return _Page(failure=NotFetched("invalid", reason))
        return _Page(found, answer.headers)

    def _settle(self, job: PageJob, page: _Page) -> Found:
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

    def _products(self) -> Iterator[tuple[str, Product, list[str]]]:
        role = "category" if self.site.products is None else "product"
        for url in self.frontier.product_categories:
            product = _kept(self.state.page(role, url)).product
            if product is not None:
                yield url, product, self.frontier.classes(url)

    def _counted(self) -> Iterator[tuple[str, Product, list[str]]]:
        for listed in self._products():
            self.summary.found += len(listed[1].images)
            yield listed

    def _links(self) -> Iterator[Link]:
        for _, product, classes in self._products():
            for name in classes:
                for url in product.images:
                    yield Link(name, url, product.product_id)

    def _check_listing(self) -> None:
        if self.summary.distinct > 0:
            return
        self.state.finish()  # the next crawl reads the pages again
        if not self.frontier.product_categories:
            what, key = f"product was found from {self.site.start_url} on", "products"
        else:
            what, key = "image was found on the product pages", "images"
        raise UserError(f"No {what}: the store has changed, correct '{key}' of the site '{self.site.name}'.")


def _kept(row: PageRow | None) -> Found:
    """What a page said when it was last read; nothing once it is gone."""
    return Found() if row is None or row.found is None or row.status == "gone" else Found.from_json(row.found)
