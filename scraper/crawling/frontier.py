"""From the start page to the products: which page leads to which, each asked for once."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from scraper.http.urls import url_key
from scraper.stores.config import HtmlSite
from scraper.stores.records import Found, Role


@dataclass(frozen=True)
class PageJob:
    """A page to read; `category` is the URL of its category's first page, `number` counts from 1."""

    role: Role
    url: str
    category: str = ""
    number: int = 1


@dataclass
class _Category:
    names: list[str] = field(default_factory=list)
    products: set[str] = field(default_factory=set)
    last: int = 1


class Frontier:
    """The pages still to be read, and which categories list which product."""

    def __init__(self, site: HtmlSite):
        self._site = site
        self._jobs: deque[PageJob] = deque()
        self._seen: set[tuple[Role, str]] = set()
        self._categories: dict[str, _Category] = {}
        self.product_categories: dict[str, list[str]] = {}
        self.endless: list[str] = []
        self._add([PageJob("start", url_key(site.start_url) or site.start_url)])

    def take(self) -> PageJob | None:
        """The next page, None when what was read so far leads to no other."""
        return self._jobs.popleft() if self._jobs else None

    @property
    def count(self) -> int:
        """Pages known so far."""
        return len(self._seen)

    def follow(self, job: PageJob, found: Found) -> None:
        """Take in what a page says."""
        if job.role == "start":
            for name, url in found.categories:
                category = self._categories.setdefault(url, _Category())
                if name not in category.names:
                    category.names.append(name)
                self._add([PageJob("category", url, url)])
        elif job.role != "product":
            self._follow_category(job, found)

    def classes(self, page_url: str) -> list[str]:
        """Names of the categories that list the product of a page."""
        return sorted(
            {name for url in self.product_categories[page_url] for name in self._categories[url].names}
        )

    def _follow_category(self, job: PageJob, found: Found) -> None:
        category = self._categories[job.category]
        products = [job.url] if self._site.products is None else found.products
        news = [url for url in products if url not in category.products]
        category.products.update(news)
        for url in news:
            self.product_categories.setdefault(url, []).append(job.category)
        if self._site.products is not None:
            self._add(PageJob("product", url) for url in news)
        # Past the end stores show the last page for ever: one that brings nothing new ends a chain of links.
        if found.next and news:
            self._add_page(PageJob("category", found.next, job.category, job.number + 1))
        pagination = self._site.pagination
        if pagination is None or pagination.page is None:
            return
        if pagination.probe and job.number == 1 and job.role == "category":
            self._add([PageJob("probe", self._numbered(job.category, pagination.probe), job.category)])
        for number in range(category.last + 1, min(found.last or 0, self._most + 1) + 1):
            category.last = number
            self._add_page(PageJob("category", self._numbered(job.category, number), job.category, number))

    def _numbered(self, category: str, number: int) -> str:
        assert self._site.pagination is not None and self._site.pagination.page is not None
        url = self._site.pagination.page.format(category=category.rstrip("/"), number=number)
        return url_key(url) or url

    @property
    def _most(self) -> int:
        return self._site.limits.max_category_pages

    def _add_page(self, job: PageJob) -> None:
        if job.number <= self._most:
            self._add([job])
        elif job.category not in self.endless:
            self.endless.append(job.category)

    def _add(self, jobs: Iterable[PageJob]) -> None:
        for job in jobs:
            if (job.role, job.url) not in self._seen:
                self._seen.add((job.role, job.url))
                self._jobs.append(job)
