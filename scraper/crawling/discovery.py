"""Discover what a site lists: read its pages, or take its list, and save the listings in the state."""

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlsplit

from gemkit.errors import EXIT_INCOMPLETE, UserError
from scraper.crawling.empty_classes import empty_classes
from scraper.crawling.frontier import Frontier, PageJob
from scraper.crawling.job_queue import JobQueue
from scraper.crawling.page_request import PageResult, read_page
from scraper.crawling.retry_policy import RetryPolicy
from scraper.crawling.session import Session
from scraper.crawling.thread_pool import map_unordered
from scraper.crawling.walls import BELIEVED_AFTER_SECONDS, QUESTIONS, Earlier, Wall, Walls, advice
from scraper.http.errors import Blocked, FetchError, Postponed, TransientError
from scraper.http.fetcher import Fetcher
from scraper.http.limits import host_matches
from scraper.http.reason import OK, Outcome, Reason
from scraper.http.urls import LinkFault, host_of
from scraper.monitoring.counted import counted
from scraper.monitoring.missing import UnreadPage
from scraper.monitoring.summary import format_counts
from scraper.storage.jobs import PageRow, validators
from scraper.storage.listing_table import ShownProduct
from scraper.stores.config import HtmlSite
from scraper.stores.html_store import VERSION
from scraper.stores.landing import is_home
from scraper.stores.records import Link, LinkList, PageContent, Role
from scraper.tables import ImageStatus, ReasonKind


def save_list(session: Session, listed: LinkList) -> list[Link]:
    """Save a site's whole list of links in the state; returns the links."""
    session.state.listings.save_links(listed.links)
    session.summary.notes += listed.notes
    session.summary.found = len(listed.links)
    session.summary.distinct = session.state.images.count_listed()
    return listed.links


_NOTHING_LISTED = TransientError(Reason(ReasonKind.NOTHING_LISTED, "shows nothing"))


class StoreUnreadable(UserError):
    """Nothing can be read of the store for now: its start page failed, or a wall stands before its pages."""

    kind = "store_unreadable"
    exit_code = EXIT_INCOMPLETE


class PageReader:
    """Reads pages from the start page on, until no new ones are found."""

    def __init__(self, session: Session, site: HtmlSite, fetcher: Fetcher):
        self.session, self.site = session, site
        self.state, self.summary = session.state, session.summary
        self.fetcher = fetcher
        self.frontier = Frontier(site)
        self._left_out: Counter[LinkFault] = Counter()
        settings = site.model_dump_json(
            include={"kind", "categories", "pagination", "products", "product", "images"}, by_alias=True
        )
        #: What the state knew of the pages that are read now.
        self._rows: dict[PageJob, PageRow] = {}
        self._unread: dict[PageJob, Outcome] = {}
        #: Pages that the store refuses or has no more.
        self._lost: dict[PageJob, Outcome] = {}
        #: Names of the classes that show images.
        self._filled: set[str] = set()
        self._queued: set[PageJob] = set()
        self._walls = Walls()
        self._found_walls: list[Wall] = []
        #: Pages that list nothing any more, with what the state is to know of them unless they are walled.
        self._emptied: dict[PageJob, tuple[PageResult, Outcome]] = {}
        #: Since when a page shows nothing, if it shows nothing now.
        self._since: dict[PageJob, float] = {}
        settings = f"{VERSION} {fetcher.respect_x_robots_tag} {settings}"
        self._parser = hashlib.sha256(settings.encode()).hexdigest()[:16]

    def discover(self) -> Iterable[Link]:
        """See CrawlSource."""
        if self.state.renew_pages():
            self.summary.notes.append("the pages were read long ago, and are read again")
        try:
            self._read_all()
            self._mark_walls()
        except Exception as error:
            self.state.listings.save_products(self._products(), complete=False)
            if isinstance(error, Blocked):
                blocked = Outcome(ImageStatus.BLOCKED, error.reason)
                self._unread |= {job: blocked for job in self._queued if job.role != "start"}
                self._report()
            raise
        self._report()
        self.state.runs.note_pages_read()
        self.state.listings.save_products(self._counted(), complete=True)
        self.summary.distinct = self.state.images.count_listed()
        self._check_listing()
        unread = {name for page in self.session.unread for name in page.classes}
        empty = empty_classes(self.frontier.listed(), self._filled | unread, self.site.name)
        self.summary.notes += empty.notes
        self.session.unread.extend(empty.pages)
        return self._links()

    def _report(self) -> None:
        """Report the pages that could not be read, and how far the others led."""
        self.session.unread.extend(self._unread_pages())
        self.summary.pages_by_reason = Counter(self.state.pages.failures())
        self.summary.notes += self._notes()

    def _unread_pages(self) -> Iterator[UnreadPage]:
        for job, outcome in self._unread.items():
            lists = job.role != "product"
            kept = not lists and not _stored_content(self.state.pages.get(job.role, job.url)).is_empty
            yield UnreadPage(self.frontier.job_classes(job), lists, outcome, kept)
        for job, outcome in self._lost.items():
            if job not in self._unread:
                yield UnreadPage(self.frontier.job_classes(job), job.role != "product", outcome, lost=True)

    def _read_all(self) -> None:
        session, frontier = self.session, self.frontier
        retries = session.source.retries()
        queue = JobQueue[PageJob](
            lambda job: host_of(job.url), session.source.concurrency, session.client.pause
        )

        def read(job: PageJob) -> PageResult:
            return self._read(job, self._rows.get(job), retries.is_first(job.url))

        with session.track_progress("discover", "pages") as update:
            self._visit()
            self._enqueue(queue)
            for job, result in map_unordered(queue, read, session.stop, lambda: update(0, frontier.count)):
                if (seconds := self._wait(retries, job, result)) is not None:
                    queue.put_back(job, seconds)
                    update(0, frontier.count)
                else:
                    self._follow(job, self._record(job, result))
                    self._enqueue(queue)
                    update(1, frontier.count)

    def _visit(self) -> None:
        """Get the cookies that a first visit sets, before several pages are requested at a time."""
        if self.site.cookies:
            with suppress(FetchError, TransientError, Postponed):
                self.fetcher.page(self.site.start_url, {})

    def _mark_walls(self) -> None:
        """Take pages behind a wall for unread, whatever they were taken for."""
        for wall in self._walls.found():
            self._found_walls.append(wall)
            self.summary.notes.append(f"{wall}; {self._advice}")
            outcome = Outcome(ImageStatus.FAILED, wall.reason)
            for job in wall.jobs:
                row = self._rows.get(job)
                known = row if row is not None and self._holds(row) else None
                self.state.pages.mark_walled(job.role, job.url, outcome, known)
                self.state.pages.mark_doubted(job.role, job.url, self._since[job])
                self._unread[job] = outcome
                self._emptied.pop(job, None)
        for job, (result, found) in self._emptied.items():
            self._store(job, result, found)

    @property
    def _advice(self) -> str:
        return advice(self.site.name, self.site.cookies)

    def _follow(self, job: PageJob, content: PageContent) -> None:
        self._left_out.update(content.left_out)
        self.frontier.follow(job, content)

    def _notes(self) -> Iterator[str]:
        for url in self.frontier.endless:
            yield f"stopped at {self.site.limits.max_category_pages} pages of {url}"
        for url, number in self.frontier.circular.items():
            yield f"page {number} of {url} leads back to a page already read"
        for fault, count in self._left_out.items():
            yield f"{counted(count, 'link')} left out: {fault.text}"

    def _enqueue(self, queue: JobQueue[PageJob]) -> None:
        """Add the pages to read that the frontier knows; a page that this run has read leads to more."""
        while (job := self.frontier.take()) is not None:
            row = self.state.pages.get(job.role, job.url)
            if row is not None and self._is_done(row):
                self._note_unread(job, row)
                self._add_to_walls(job, row, self._earlier(job, row))
                self._follow(job, _stored_content(row))
            else:
                if row is not None:
                    self._rows[job] = row
                self._queued.add(job)
                queue.add(job)

    def _is_done(self, row: PageRow) -> bool:
        known = row.content is None or row.parser == self._parser
        return row.done and not row.outcome.is_temporary and known

    def _holds(self, row: PageRow) -> bool:
        """Whether the stored content is what the page would yield if it has not changed."""
        return row.content is not None and row.parser == self._parser and not row.lists_nothing

    def _read(self, job: PageJob, row: PageRow | None, first_try: bool) -> PageResult:
        known = validators(row) if row is not None and self._holds(row) else {}
        return read_page(self.fetcher, self.site, job, known, first_try)

    def _wait(self, retries: RetryPolicy, job: PageJob, result: PageResult) -> float | None:
        """Seconds until the page is requested again; None if its result is final."""
        if self._is_doubtful(job, result):
            result = PageResult.to_repeat(job.url, _NOTHING_LISTED)
        if isinstance(result.error, Postponed):
            return retries.postponed(job.url, result.error)
        if not isinstance(result.error, TransientError):
            retries.record_success()
            return None
        row = self._rows.get(job)
        seconds = retries.failed(job.url, result.error, row.attempts if row else 0)
        if seconds is not None and result.failure is not None:
            self.state.pages.mark_unchanged(job.role, job.url, result.failure)
        return seconds

    def _record(self, job: PageJob, result: PageResult) -> PageContent:
        self._queued.discard(job)
        pages = self.state.pages
        elsewhere = self._elsewhere(job, result)
        if elsewhere is not None:
            landed = PageContent(moved_to=result.url, saying="gone")
            reason = Reason(ReasonKind.REDIRECTED_AWAY, f"redirected to {elsewhere}")
            self._lost[job] = Outcome(ImageStatus.GONE, reason)
            self._compare(job, PageResult(result.url, landed), self._lost[job])
            return PageContent()
        if result.content is not None:
            content = result.landed(job)
            result = replace(result, content=content)
            self._check_start(job, content, result.everywhere)
            self.summary.pages += 1
            self._compare(job, result, OK)
            return content
        if result.failure is None:
            self.summary.pages_unchanged += 1
        elif job.role == "start":
            raise self._unreadable(job, result.failure)
        pages.mark_unchanged(job.role, job.url, result.failure or OK)
        row = pages.get(job.role, job.url)
        assert row is not None
        self._note_unread(job, row)
        content = _stored_content(row)
        self._add_to_walls(job, row, replace(self._earlier(job), listed=not content.is_empty))
        return content

    def _compare(self, job: PageJob, result: PageResult, outcome: Outcome) -> None:
        """Compare a page with the others, and store it, at the end if it lists nothing any more."""
        assert result.content is not None
        earlier = self._earlier(job)
        if job.number == 1 or outcome == OK:  # beyond the last page, some stores lead to the home page
            self._walls.add(job, result.content, earlier)
        if earlier.listed and result.content.is_empty:
            self._emptied[job] = result, outcome
        else:
            self._store(job, result, outcome)

    def _is_doubtful(self, job: PageJob, result: PageResult) -> bool:
        """Whether a page that shows nothing is to be requested again."""
        if result.content is None or self._elsewhere(job, result) is not None:
            return False
        return self._walls.is_doubtful(job, result.content, self._earlier(job))

    def _earlier(self, job: PageJob, done: PageRow | None = None) -> Earlier:
        """What an earlier crawl found on a page, or this run before it was interrupted (`done`)."""
        row = done or self._rows.get(job)
        known = row is not None and self._holds(row)
        shown = known and not _stored_content(row).is_empty
        now = time.time()
        since = now if row is None or row.doubted is None else row.doubted
        if row is not None and row.outcome == OK and not row.done and known and not shown:
            since = 0.0  # an earlier crawl believed it
        self._since.setdefault(job, since)
        return Earlier(shown and done is None, now - since >= BELIEVED_AFTER_SECONDS)

    def _elsewhere(self, job: PageJob, result: PageResult) -> str | None:
        """To which other kind of page a page was redirected, if that means that it is gone."""
        return None if self._lists(job, result) else self.frontier.left_for(job, result.url)

    def _add_to_walls(self, job: PageJob, row: PageRow, earlier: Earlier) -> None:
        """Compare a page that was not parsed now with the others."""
        reason = row.outcome.reason
        if reason is not None and reason.kind == ReasonKind.HOST_NOT_ALLOWED:
            if host_matches(host_of(job.url), self.site.page_hosts):
                self._walls.add_led_away(job, reason, earlier)
                self.state.pages.mark_doubted(job.role, job.url, self._since[job])
        elif not row.outcome.is_temporary:
            content = PageContent.from_json(row.content) if row.content else PageContent()
            self._walls.add(job, content, earlier)
            self.state.pages.mark_doubted(job.role, job.url, self._since[job] if content.is_empty else None)

    def _store(self, job: PageJob, result: PageResult, outcome: Outcome) -> None:
        assert result.content is not None
        pages, content = self.state.pages, result.content
        pages.mark_fetched(job.role, job.url, result.headers or {}, self._parser, content.to_json())
        if outcome != OK:
            pages.mark_unchanged(job.role, job.url, outcome)
        if content.is_empty:
            pages.mark_doubted(job.role, job.url, self._since[job])

    def _lists(self, job: PageJob, result: PageResult) -> bool:
        """Whether a category leads to a list of products other than the home page's."""
        listed = job.role != "product" and result.content is not None and bool(result.content.products)
        return listed and not is_home(result.url)

    def _note_unread(self, job: PageJob, row: PageRow) -> None:
        """Note a page that was never read, because of trouble: what it lists is unknown."""
        reason = row.outcome.reason
        moved = reason is not None and reason.kind == ReasonKind.HOST_NOT_ALLOWED and job.role != "product"
        troubled = moved or row.outcome.is_temporary or row.outcome.status == ImageStatus.INVALID
        if troubled and row.content is None:
            self._unread[job] = row.outcome
        elif row.outcome.status in (ImageStatus.GONE, ImageStatus.REFUSED):
            self._lost[job] = row.outcome

    def _unreadable(self, job: PageJob, failure: Outcome) -> UserError:
        problem = f"The store cannot be crawled: {job.url} could not be read ('{failure.reason}')"
        kind = failure.reason and failure.reason.kind
        if kind == ReasonKind.HOST_NOT_ALLOWED:
            return StoreUnreadable(f"{problem}: add that host to 'page_hosts', or {self._advice}.")
        if kind == ReasonKind.REDIRECT:
            return StoreUnreadable(f"{problem}; {self._advice}.")
        if failure.is_temporary:
            return StoreUnreadable(f"{problem}; run the same command again later.")
        return UserError(f"{problem}; correct 'start_url' of the site '{self.site.name}'.")

    def _check_start(self, job: PageJob, content: PageContent, everywhere: bool) -> None:
        if job.role != "start" or content.categories:
            return
        problem = f"No category was found on {job.url}"
        may = f"may ask for {QUESTIONS}, or be in maintenance"
        landing = content.moved_to
        if landing is not None and urlsplit(landing).path != urlsplit(job.url).path:
            raise StoreUnreadable(
                f"{problem}, which leads to {landing}: it may ask for {QUESTIONS}; {self._advice}."
            )
        if everywhere or self._earlier(job).listed:
            now = "the store answers so whatever is requested" if everywhere else "earlier there were some"
            raise StoreUnreadable(f"{problem}: {now}, it {may}; {self._advice}.")
        if content.saying == "wall":
            raise StoreUnreadable(
                f"{problem}: it {may}; {self._advice}. If the page "
                f"looks right in a browser, change 'categories' of the site '{self.site.name}'."
            )
        raise UserError(
            f"{problem}: the store has changed, correct 'categories' of the site '{self.site.name}'."
        )

    def _products(self) -> Iterator[ShownProduct]:
        role: Role = "category" if self.site.products is None else "product"
        for url in self.frontier.product_categories:
            content = _stored_content(self.state.pages.get(role, url))
            product = content.product
            if product is not None and not (role == "product" and self.frontier.leads_away(content)):
                yield ShownProduct(url, product, self.frontier.classes(url))

    def _counted(self) -> Iterator[ShownProduct]:
        for shown in self._products():
            self.summary.found += len(shown.product.images)
            if shown.product.images:
                self._filled.update(shown.classes)
            yield shown

    def _links(self) -> Iterator[Link]:
        for shown in self._products():
            for name in shown.classes:
                for url in shown.product.images:
                    yield Link(name, url, shown.product.product_id)

    def _check_listing(self) -> None:
        if self.summary.distinct == 0 and self._found_walls:
            raise StoreUnreadable(f"No image was found, since {self._found_walls[0]}; {self._advice}.")
        if self.summary.distinct > 0 or self._unread:
            return
        self.state.runs.finish()  # the next crawl reads the pages again
        failed = format_counts(self.summary.pages_by_reason)
        if failed and not self.state.pages.any_product_read():
            raise UserError(f"No image was found, since no product page could be read{failed}.")
        if not self.frontier.product_categories:
            what, key = f"product was found from {self.site.start_url} on", "products"
        else:
            what, key = "image was found on the product pages", "images"
        raise UserError(f"No {what}: the store has changed, correct '{key}' of the site '{self.site.name}'.")


def _stored_content(row: PageRow | None) -> PageContent:
    """The content of a page when it was last read; nothing once it is gone or opts out."""
    if row is None or row.content is None or row.lists_nothing:
        return PageContent()
    return PageContent.from_json(row.content)
