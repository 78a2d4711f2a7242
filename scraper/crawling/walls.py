"""Walls: a page stands before most others, for consent, an age, a region, a login, or maintenance.

What is behind a wall is unknown, not gone, and the site file is not to blame.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urldefrag

from scraper.crawling.frontier import PageJob
from scraper.http.reason import Reason
from scraper.monitoring.counted import counted
from scraper.stores.records import PageContent
from scraper.tables import ReasonKind


def advice(site: str, cookies: bool) -> str:
    """What to do about a wall in front of a site, which may keep `cookies` already."""
    later = "run the same command again later"
    return later if cookies else f"set 'cookies = true' in the file of the site '{site}', or {later}"


#: What a store may ask for before it shows its pages.
QUESTIONS = "consent, an age, a region or a login"

_StartPage = Callable[[], PageContent | None]


@dataclass(frozen=True)
class Wall:
    """`jobs` are hidden, of `total` pages of their kind; `text` says of them what happened."""

    jobs: list[PageJob]
    total: int
    reason: Reason
    text: str

    def __str__(self) -> str:
        kind = "product" if self.jobs[0].role == "product" else "category"
        return f"{len(self.jobs)} of {counted(self.total, f'{kind} page')} {self.text}"


@dataclass
class _Pages:
    """The pages of one kind that were answered: their content, and which of them list nothing any more.

    `led_away`: the reason of those that were redirected to a host that is not contacted.
    """

    contents: dict[PageJob, PageContent] = field(default_factory=dict)
    led_away: dict[PageJob, Reason] = field(default_factory=dict)
    emptied: list[PageJob] = field(default_factory=list)
    listed: int = 0


class Walls:
    """Compares the pages of a crawl with each other, and with what they listed in an earlier crawl."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Pages] = {"category": _Pages(), "product": _Pages()}

    def add(self, job: PageJob, content: PageContent, listed: bool = False) -> None:
        """A page was answered; `listed`: an earlier crawl found something on it."""
        pages = self._kinds.get(job.role)
        if pages is None or job.number > 1:  # the pages beyond the last one are often alike
            return
        pages.contents[job] = content
        pages.listed += listed
        if listed and content.is_empty:
            pages.emptied.append(job)

    def add_led_away(self, job: PageJob, reason: Reason) -> None:
        """A page was redirected to a host that is not contacted."""
        self.add(job, PageContent())
        if job.role in self._kinds:
            self._kinds[job.role].led_away[job] = reason

    def found(self, start_page: _StartPage) -> Iterator[Wall]:
        """The walls; a page is behind one of them at most.

        A wall stands before most pages, or it was put up in the middle of the crawl and now stands before the
        `start_page` too: what that has become, None if it still leads to categories.
        """
        for pages in self._kinds.values():
            wall = _landing(pages, start_page) or _repeated(pages, start_page)
            if wall := wall or _led_away(pages) or _emptied(pages):
                yield wall


def _landing(pages: _Pages, start_page: _StartPage) -> Wall | None:
    jobs = _alike(pages, lambda content: content.moved_to, start_page)
    if not jobs:
        return None
    url = pages.contents[jobs[0]].moved_to
    reason = Reason(ReasonKind.WALL, f"leads to {url} like others")
    return Wall(jobs, len(pages.contents), reason, f"lead to {url}, which may ask for {QUESTIONS}")


def _repeated(pages: _Pages, start_page: _StartPage) -> Wall | None:
    jobs = _alike(pages, _saying, start_page)
    if not jobs:
        return None
    url = _address(jobs, pages)
    reason = Reason(ReasonKind.WALL, f"the same page as {url}")
    text = (
        f"are the same page as {url}, which may ask for {QUESTIONS}, or say that the store is in maintenance"
    )
    return Wall(jobs, len(pages.contents), reason, text)


def _led_away(pages: _Pages) -> Wall | None:
    texts = Counter(reason.text for reason in pages.led_away.values())
    (text, count), *_ = texts.most_common(1) or [("", 0)]
    if count < 2 or 2 * count <= len(pages.contents):
        return None
    jobs = [job for job, reason in pages.led_away.items() if reason.text == text]
    new = "or be the store's new one (then add it to 'page_hosts')"
    said = f"lead to another host ({text}), which may ask for {QUESTIONS}, {new}"
    return Wall(jobs, len(pages.contents), Reason(ReasonKind.WALL, text), said)


def _emptied(pages: _Pages) -> Wall | None:
    if 2 * len(pages.emptied) <= pages.listed:
        return None
    reason = Reason(ReasonKind.WALL, "lists nothing any more, like others")
    url = pages.emptied[0].url
    text = f"list nothing any more, {url} among them: the store may be in maintenance, or have a new design"
    return Wall(pages.emptied, pages.listed, reason, text)


def _alike(
    pages: _Pages, key: Callable[[PageContent], Hashable | None], start_page: _StartPage
) -> list[PageJob]:
    """Two pages or more with the same key, if they are more than half of all or the start page has it too."""
    contents = pages.contents.items()
    own = {
        job.url for job, content in contents if content.moved_to is None
    }  # a redirect to these is a renaming
    keys = {
        job: value
        for job, content in contents
        if (value := key(content)) is not None and content.moved_to not in own
    }
    (common, count), *_ = Counter(keys.values()).most_common(1) or [(None, 0)]
    jobs = [job for job, value in keys.items() if value == common]
    if count < 2 or (
        2 * count <= len(pages.contents) and not _is_same(pages.contents[jobs[0]], start_page())
    ):
        return []
    return jobs


def _is_same(page: PageContent, now: PageContent | None) -> bool:
    """Whether the start page has become the same as a page."""
    if now is None:
        return False
    return page.digest == now.digest or (page.moved_to is not None and page.moved_to == now.moved_to)


def _saying(content: PageContent) -> Hashable | None:
    """What a page says; None if it is unknown, or if the page leads on: stores repeat lists of products."""
    if not content.digest or content.categories or content.products:
        return None
    return content.digest, tuple(content.product.images) if content.product else ()


def _address(jobs: Iterable[PageJob], pages: _Pages) -> str:
    """Where a page is that hides others: where they were redirected, whatever the query, or the first one."""
    landings = {(pages.contents[job].moved_to or "").partition("?")[0] for job in jobs}
    (landing, *others) = sorted(landings)
    return landing if landing and not others else urldefrag(next(iter(jobs)).url).url
