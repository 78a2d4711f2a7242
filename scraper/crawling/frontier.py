"""The frontier, from the start page to the products: which pages to fetch next, each one once."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from scraper.crawling.landings import Landings
from scraper.http.urls import url_key
from scraper.stores.config import HtmlSite
from scraper.stores.landing import is_home, is_search
from scraper.stores.records import PageContent, Role


@dataclass(frozen=True)
class PageJob:
    """A page to read; `category` is the URL of its category's first page, `number` counts from 1."""

    role: Role
    url: str
    category: str = ""
    number: int = 1


@dataclass
class _Category:
    """`pages` were read, `latest` was the last of them; `candidates` are those that it may lead to."""

    names: list[str] = field(default_factory=list)
    products: set[str] = field(default_factory=set)
    last: int = 1
    pages: set[str] = field(default_factory=set)
    latest: str = ""
    candidates: deque[str] = field(default_factory=deque)


class Frontier:
    """The pages yet to be read, and which categories list which product.

    `start` is the first page. `endless` are categories with too many pages; `circular` have a page, with this
    number, that leads back.
    """

    def __init__(self, site: HtmlSite):
        self._site = site
        self._jobs: deque[PageJob] = deque()
        self._seen: set[tuple[Role, str]] = set()
        self._categories: dict[str, _Category] = {}
        self.product_categories: dict[str, list[str]] = {}
        self.endless: list[str] = []
        self.circular: dict[str, int] = {}
        self._listing_pages: set[str] = set()
        self._landings = Landings()
        self._start_pages: set[str] = set()
        self.start = PageJob("start", url_key(site.start_url) or site.start_url)
        self._add([self.start])

    def take(self) -> PageJob | None:
        """The next page; None if the pages read so far lead to no other."""
        return self._jobs.popleft() if self._jobs else None

    @property
    def count(self) -> int:
        """Pages known so far."""
        return len(self._seen)

    def follow(self, job: PageJob, content: PageContent) -> None:
        """Add the pages that a page links to."""
        if job.role != "product":
            known = self._start_pages if job.role == "start" else self._listing_pages
            known |= {job.url, content.moved_to or job.url}
        else:
            self._landings.add(job.url, content.moved_to or job.url, content.product_links)
        if job.role == "start":
            for name, url in content.categories:
                category = self._categories.setdefault(url, _Category())
                if name not in category.names:
                    category.names.append(name)
                self._add([PageJob("category", url, url)])
        elif job.role != "product":
            self._follow_category(job, content)

    def left_for(self, job: PageJob, url: str) -> str | None:
        """To which other kind of page a product or a category was redirected, which is then gone, or None."""
        if url == job.url or job.role == "start":
            return None
        # `/no` and `/is` are languages, unless the store lists a product there.
        if url in self._start_pages or (is_home(url) and ("product", url) not in self._seen):
            return "the home page"
        if is_search(url) and not is_search(job.url):
            return "a search"
        return "a category" if job.role == "product" and url in self._listing_pages else None

    def leads_away(self, content: PageContent) -> bool:
        """Whether a product was redirected to a page that lists products, or stands for different ones."""
        landing = content.moved_to
        return landing is not None and (
            landing in self._listing_pages
            or self._landings.replaces_products(landing, self.product_categories)
        )

    def listed(self) -> dict[str, set[str]]:
        """The URLs of the products of each class."""
        found: dict[str, set[str]] = {}
        for category in self._categories.values():
            for name in category.names:
                found.setdefault(name, set()).update(category.products)
        return found

    def classes(self, page_url: str) -> list[str]:
        """Names of the categories that list the product of a page."""
        return sorted(
            {name for url in self.product_categories[page_url] for name in self._categories[url].names}
        )

    def job_classes(self, job: PageJob) -> list[str]:
        """Names of the classes whose products a page lists or shows."""
        return self.classes(job.url) if job.role == "product" else self._categories[job.category].names

    def _follow_category(self, job: PageJob, content: PageContent) -> None:
        category = self._categories[job.category]
        products = [job.url] if self._site.products is None else content.products
        new = [url for url in products if url not in category.products]
        category.products.update(new)
        for url in new:
            self.product_categories.setdefault(url, []).append(job.category)
        if self._site.products is not None:
            self._add(PageJob("product", url) for url in new)
        category.pages.add(job.url)
        # Many stores repeat the last page for every page number beyond it, so a page without new products
        # leads no further; another link of the page before it may.
        if new:
            self._find_candidates(job, content, category)
        self._try_candidates(job, category)
        pagination = self._site.pagination
        if pagination is None or pagination.page is None:
            return
        if pagination.probe and job.number == 1 and job.role == "category":
            self._add([PageJob("probe", self._numbered(job.category, pagination.probe), job.category)])
        for number in range(category.last + 1, min(content.last or 0, self._max_pages + 1) + 1):
            category.last = number
            self._add_page(PageJob("category", self._numbered(job.category, number), job.category, number))

    def _find_candidates(self, job: PageJob, content: PageContent, category: _Category) -> None:
        others = [url for url in content.next if url != job.url]
        category.candidates = deque(url for url in others if url not in category.pages)
        # A single link to the page before, without a word, is the only one on the last page of many stores.
        leads_on = content.next_declared or (len(others) == 1 and others[0] != category.latest)
        if leads_on and not category.candidates:
            self.circular.setdefault(job.category, job.number)
        category.latest = job.url

    def _try_candidates(self, job: PageJob, category: _Category) -> None:
        added = False
        while category.candidates and not added:
            url = category.candidates.popleft()
            if url not in category.pages:
                category.pages.add(url)
                added = self._add_page(PageJob("category", url, job.category, job.number + 1))

    def _numbered(self, category: str, number: int) -> str:
        assert self._site.pagination is not None and self._site.pagination.page is not None
        url = self._site.pagination.page.format(category=category.rstrip("/"), number=number)
        return url_key(url) or url

    @property
    def _max_pages(self) -> int:
        return self._site.limits.max_category_pages

    def _add_page(self, job: PageJob) -> bool:
        """Whether the page was not known; a page beyond the limit ends the category."""
        if job.number <= self._max_pages:
            return self._add([job])
        self._categories[job.category].candidates.clear()
        if job.category not in self.endless:
            self.endless.append(job.category)
        return False

    def _add(self, jobs: Iterable[PageJob]) -> bool:
        known = len(self._seen)
        for job in jobs:
            if (job.role, job.url) not in self._seen:
                self._seen.add((job.role, job.url))
                self._jobs.append(job)
        return len(self._seen) > known
