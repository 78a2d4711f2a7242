"""Discover what a site lists: read its pages, or take its list, and save the listings in the state."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gemkit.errors import UserError
from scraper.crawling.frontier import Frontier, PageJob
from scraper.crawling.session import Session
from scraper.crawling.thread_pool import map_unordered
from scraper.http.errors import FetchError
from scraper.http.fetcher import Fetcher
from scraper.http.reason import OK, Outcome, Reason
from scraper.storage.jobs import PageRow, validators
from scraper.storage.listing_table import ShownProduct
from scraper.stores.config import HtmlSite
from scraper.stores.document import Document
from scraper.stores.html_store import PARSERS, VERSION
from scraper.stores.records import Link, LinkList, PageContent, Role
from scraper.tables import ImageStatus, ReasonKind

_NOT_UNDERSTOOD = Reason(ReasonKind.PARSER, "cannot be understood")


def save_list(session: Session, listed: LinkList) -> list[Link]:
    """Save a site's whole list of links in the state; returns the links."""
    session.state.listings.save_links(listed.links)
    session.summary.notes += listed.notes
    session.summary.found = len(listed.links)
    session.summary.distinct = session.state.images.count_listed()
    return listed.links


@dataclass(frozen=True)
class _Result:
    """A page was parsed (`content`), has not changed (no field is set), or could not be read (`failure`)."""

    content: PageContent | None = None
    headers: dict[str, str] | None = None
    failure: Outcome | None = None


class PageReader:
    """Reads pages from the start page on, until no new ones are found."""

    def __init__(self, session: Session, site: HtmlSite, fetcher: Fetcher):
        self.session, self.site = session, site
        self.state, self.summary = session.state, session.summary
        self.fetcher = fetcher
        self.frontier = Frontier(site)
        settings = site.model_dump_json(
            include={"kind", "categories", "pagination", "products", "product", "images"}, by_alias=True
        )
        self._parser = hashlib.sha256(f"{VERSION} {settings}".encode()).hexdigest()[:16]

    def discover(self) -> Iterable[Link]:
        """See CrawlSource."""
        try:
            self._read_all()
        except BaseException:
            self.state.listings.save_products(self._products(), complete=False)
            raise
        self.state.listings.save_products(self._counted(), complete=True)
        self.summary.distinct = self.state.images.count_listed()
        self._check_listing()
        return self._links()

    def _read_all(self) -> None:
        session, frontier = self.session, self.frontier
        with session.track_progress("discover", "pages") as update:

            def next_job() -> tuple[PageJob, PageRow | None] | None:
                while (job := frontier.take()) is not None:
                    row = self.state.pages.get(job.role, job.url)
                    if row is None or not self._is_done(row):
                        return job, row
                    frontier.follow(job, _stored_content(row))
                return None

            for (job, _), result in map_unordered(
                next_job,
                self._read,
                session.threads,
                session.max_in_flight,
                session.stop,
                lambda: update(0, frontier.count),
            ):
                frontier.follow(job, self._record(job, result))
                update(1, frontier.count)
        self.summary.pages_by_reason = Counter(self.state.pages.failures())
        self.summary.notes += [
            f"stopped at {self.site.limits.max_category_pages} pages of {url}" for url in frontier.endless
        ]

    def _is_done(self, row: PageRow) -> bool:
        return row.done and (row.content is None or row.parser == self._parser)

    def _read(self, task: tuple[PageJob, PageRow | None]) -> _Result:
        job, row = task
        known = row is not None and row.content is not None and row.parser == self._parser
        try:
            response = self.fetcher.page(job.url, validators(row) if row and known else {})
        except FetchError as error:
            return _Result(failure=error.outcome)
        if response.status == 304:
            return _Result()
        try:
            document = Document(response.url, response.body)
            content = PARSERS[self.site.kind](self.site, job.role, document)
        except Exception:  # one untrusted page that breaks the parser must not end a night's crawl
            return _Result(failure=Outcome(ImageStatus.INVALID, _NOT_UNDERSTOOD))
        return _Result(content, response.headers)

    def _record(self, job: PageJob, result: _Result) -> PageContent:
        pages = self.state.pages
        if result.content is not None:
            self._check_start(job, result.content)
            self.summary.pages += 1
            pages.mark_fetched(
                job.role, job.url, result.headers or {}, self._parser, result.content.to_json()
            )
            return result.content
        if result.failure is None:
            self.summary.pages_unchanged += 1
            pages.mark_unchanged(job.role, job.url, OK)
        else:
            if job.role == "start":
                raise UserError(
                    f"The store cannot be crawled: {job.url} failed with '{result.failure.reason}'; try "
                    f"again later, or correct 'start_url' of the site '{self.site.name}'."
                )
            pages.mark_unchanged(job.role, job.url, result.failure)
        return _stored_content(pages.get(job.role, job.url))

    def _check_start(self, job: PageJob, content: PageContent) -> None:
        if job.role == "start" and not content.categories:
            raise UserError(
                f"No category was found on {job.url}: the store has changed, correct 'categories' of the "
                f"site '{self.site.name}'."
            )

    def _products(self) -> Iterator[ShownProduct]:
        role: Role = "category" if self.site.products is None else "product"
        for url in self.frontier.product_categories:
            product = _stored_content(self.state.pages.get(role, url)).product
            if product is not None:
                yield ShownProduct(url, product, self.frontier.classes(url))

    def _counted(self) -> Iterator[ShownProduct]:
        for shown in self._products():
            self.summary.found += len(shown.product.images)
            yield shown

    def _links(self) -> Iterator[Link]:
        for shown in self._products():
            for name in shown.classes:
                for url in shown.product.images:
                    yield Link(name, url, shown.product.product_id)

    def _check_listing(self) -> None:
        if self.summary.distinct > 0:
            return
        self.state.runs.finish()  # the next crawl reads the pages again
        if not self.frontier.product_categories:
            what, key = f"product was found from {self.site.start_url} on", "products"
        else:
            what, key = "image was found on the product pages", "images"
        raise UserError(f"No {what}: the store has changed, correct '{key}' of the site '{self.site.name}'.")


def _stored_content(row: PageRow | None) -> PageContent:
    """The content of a page when it was last read; nothing once it is gone."""
    if row is None or row.content is None or row.status == ImageStatus.GONE:
        return PageContent()
    return PageContent.from_json(row.content)
