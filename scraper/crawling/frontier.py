"""The frontier, from the start page to the products: which pages to fetch next, each one once."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from scraper.http.urls import url_key
from scraper.stores.config import HtmlSite
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
    names: list[str] = field(default_factory=list)
    products: set[str] = field(default_factory=set)
    last: int = 1


class Frontier:
    """The pages yet to be read, and which categories list which product."""

    def __init__(self, site: HtmlSite):
        self._site = site
        self._jobs: deque[PageJob] = deque()
        self._seen: set[tuple[Role, str]] = set()
        self._categories: dict[str, _Category] = {}
        self.product_categories: dict[str, list[str]] = {}
        self.endless: list[str] = []
        self._add([PageJob("start", url_key(site.start_url) or site.start_url)])

    def take(self) -> PageJob | None:
        """The next page; None if the pages read so far lead to no other."""
        return self._jobs.popleft() if self._jobs else None

    @property
    def count(self) -> int:
        """Pages known so far."""
        return len(self._seen)

    def follow(self, job: PageJob, content: PageContent) -> None:
        """Add the pages that a page links to."""
        if job.role == "start":
            for name, url in content.categories:
                category = self._categories.setdefault(url, _Category())
                if name not in category.names:
                    category.names.append(name)
                self._add([PageJob("category", url, url)])
        elif job.role != "product":
            self._follow_category(job, content)

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
        # Many stores repeat the last page for every page number beyond it, so a page without new products
        # ends the category.
        if content.next and new:
            self._add_page(PageJob("category", content.next, job.category, job.number + 1))
        pagination = self._site.pagination
        if pagination is None or pagination.page is None:
            return
        if pagination.probe and job.number == 1 and job.role == "category":
            self._add([PageJob("probe", self._numbered(job.category, pagination.probe), job.category)])
        for number in range(category.last + 1, min(content.last or 0, self._max_pages + 1) + 1):
            category.last = number
            self._add_page(PageJob("category", self._numbered(job.category, number), job.category, number))

    def _numbered(self, category: str, number: int) -> str:
        assert self._site.pagination is not None and self._site.pagination.page is not None
        url = self._site.pagination.page.format(category=category.rstrip("/"), number=number)
        return url_key(url) or url

    @property
    def _max_pages(self) -> int:
        return self._site.limits.max_category_pages

    def _add_page(self, job: PageJob) -> None:
        if job.number <= self._max_pages:
            self._add([job])
        elif job.category not in self.endless:
            self.endless.append(job.category)

    def _add(self, jobs: Iterable[PageJob]) -> None:
        for job in jobs:
            if (job.role, job.url) not in self._seen:
                self._seen.add((job.role, job.url))
                self._jobs.append(job)
