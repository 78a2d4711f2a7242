"""Walls: a page stands before others, for consent, an age, a region, a login, a queue, or maintenance.

What is behind a wall is unknown, not gone, and the site file is not to blame. A page that shows an image or
lists a product is no wall, unless it is short and says that it is one.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urldefrag

from scraper.crawling.frontier import PageJob
from scraper.http.reason import Reason
from scraper.monitoring.counted import counted
from scraper.stores.records import PageContent
from scraper.tables import ReasonKind

#: What stays so in a later crawl is believed; a nightly crawl starts a bit earlier or later than the last.
BELIEVED_AFTER_SECONDS = 20 * 3600.0

#: A store whose first pages show nothing may have no page that does: it is not asked for each of them again.
_FIRST_PAGES = 10

_BELIEVED_LATER = "what is still so in a crawl a day later is believed"


def advice(site: str, cookies: bool) -> str:
    """What to do about a wall in front of a site, which may keep `cookies` already."""
    later = "run the same command again later"
    return later if cookies else f"set 'cookies = true' in the file of the site '{site}', or {later}"


#: What a store may ask for before it shows its pages.
QUESTIONS = "consent, an age, a region or a login"


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


@dataclass(frozen=True)
class Earlier:
    """What an earlier crawl found on a page: something (`listed`), or what has stayed as it is (`lasts`)."""

    listed: bool = False
    lasts: bool = False


@dataclass
class _Pages:
    """The pages of one kind that were answered: what they show now, and what an earlier crawl found.

    `led_away`: the reason of those that were redirected to a host that is not contacted. `any_shown`: a page
    shows what its kind shows.
    """

    contents: dict[PageJob, PageContent] = field(default_factory=dict)
    earlier: dict[PageJob, Earlier] = field(default_factory=dict)
    led_away: dict[PageJob, Reason] = field(default_factory=dict)
    any_shown: bool = False

    def add(self, job: PageJob, content: PageContent, earlier: Earlier) -> None:
        """A page was answered."""
        self.contents[job], self.earlier[job] = content, earlier
        self.any_shown |= not (content.is_empty or _may_be_wall(content))

    def suspicious(self) -> list[PageJob]:
        """The pages that may be a wall and are not believed."""
        return [
            job
            for job, content in self.contents.items()
            if job not in self.led_away and _may_be_wall(content) and not self.is_believed(job)
        ]

    def is_believed(self, job: PageJob) -> bool:
        """Whether a page without images is taken at its word: nothing is there, or not any more."""
        content = self.contents[job]
        if not self.any_shown or content.saying == "wall":
            return False
        says_gone = content.saying == "gone" and content.digest  # not one that merely leads to the home page
        return bool(says_gone) or self.earlier[job].lasts


class Walls:
    """Compares the pages of a crawl with each other, and with what they listed in an earlier crawl."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Pages] = {"category": _Pages(), "product": _Pages()}

    def add(self, job: PageJob, content: PageContent, earlier: Earlier) -> None:
        """A page was answered."""
        if pages := self._kinds.get(job.role):
            pages.add(job, content, earlier)

    def add_led_away(self, job: PageJob, reason: Reason, earlier: Earlier) -> None:
        """A page was redirected to a host that is not contacted."""
        if pages := self._kinds.get(job.role):
            pages.add(job, PageContent(saying="wall"), earlier)
            pages.led_away[job] = reason

    def is_doubtful(self, job: PageJob, content: PageContent, earlier: Earlier) -> bool:
        """Whether a page shows nothing although it did earlier, or although others like it show something."""
        pages = self._kinds.get(job.role)
        if pages is None or not content.is_empty:
            return False
        expected = pages.any_shown or len(pages.contents) < _FIRST_PAGES
        surprising = expected and not earlier.lasts and content.saying != "gone" and _may_be_wall(content)
        return earlier.listed or surprising

    def found(self) -> Iterator[Wall]:
        """The walls; a page is behind one of them at most."""
        for pages in self._kinds.values():
            walled: set[PageJob] = set()
            for find in (_led_away, _landings, _repeated, _asking, _emptied):
                for wall in find(pages, walled):
                    walled.update(wall.jobs)
                    yield wall


def _may_be_wall(content: PageContent) -> bool:
    """Whether a page shows nothing of its own; a photo may be missing where attributes are not."""
    if content.categories or content.products:
        return False
    if content.saying == "wall":
        return True
    return content.is_empty and not (content.product and content.product.attributes)


def _landings(pages: _Pages, walled: Collection[PageJob]) -> Iterator[Wall]:
    # A redirect to a page that has its own content is a renaming.
    own = {job.url for job, content in pages.contents.items() if content.moved_to is None}
    landings = ((job, pages.contents[job].moved_to) for job in pages.suspicious() if job not in walled)
    for url, jobs in _alike((job, url) for job, url in landings if url not in own):
        says_gone = pages.contents[jobs[0]].saying == "gone"
        if says_gone and not _are_most(jobs, pages.contents):
            continue
        or_gone = f", or stand for what the store no longer has: {_BELIEVED_LATER}" if says_gone else ""
        reason = Reason(ReasonKind.WALL, f"leads to {url} like others")
        text = f"lead to {url}, which may ask for {QUESTIONS}{or_gone}"
        yield Wall(jobs, len(pages.contents), reason, text)


def _repeated(pages: _Pages, walled: Collection[PageJob]) -> Iterator[Wall]:
    left = (job for job in pages.suspicious() if job not in walled)
    for _, jobs in _alike((job, pages.contents[job].digest) for job in left):
        url = _address(jobs, pages)
        reason = Reason(ReasonKind.WALL, f"the same page as {url}")
        text = f"are the same page as {url}, which may ask for {QUESTIONS}, or say that the store is busy"
        if pages.any_shown and pages.contents[jobs[0]].saying != "wall":
            text += f"; {_BELIEVED_LATER}"
        elif not pages.any_shown:
            key = "images" if jobs[0].role == "product" else "products"
            text += f"; if it looks right in a browser, change '{key}' in the site file"
        yield Wall(jobs, len(pages.contents), reason, text)


def _asking(pages: _Pages, walled: Collection[PageJob]) -> Iterator[Wall]:
    """Lists of products in place of which a page asks for something, each in its own words."""
    asking = {job for job, content in pages.contents.items() if content.saying == "wall" and content.is_empty}
    left = (job for job in pages.suspicious() if job in asking and job not in walled)
    if jobs := [job for job in left if job.role == "category"]:
        url = jobs[0].url
        text = f"list nothing, {url} among them, which may ask for {QUESTIONS}, or say that the store is busy"
        yield Wall(jobs, len(pages.contents), Reason(ReasonKind.WALL, "asks for something first"), text)


def _led_away(pages: _Pages, walled: Collection[PageJob]) -> Iterator[Wall]:
    for host, jobs in _alike((job, reason.text) for job, reason in pages.led_away.items()):
        if not _are_most(jobs, pages.contents):
            jobs = [job for job in jobs if not pages.earlier[job].lasts]
        new = "or be the store's new one (then add it to 'page_hosts')"
        text = f"lead to another host ({host}), which may ask for {QUESTIONS}, {new}"
        if jobs:
            yield Wall(jobs, len(pages.contents), Reason(ReasonKind.WALL, host), text)


def _emptied(pages: _Pages, walled: Collection[PageJob]) -> Iterator[Wall]:
    """Most of the pages that listed something list nothing any more."""
    listed = [job for job, earlier in pages.earlier.items() if earlier.listed]
    jobs = [job for job in listed if pages.contents[job].is_empty and not pages.is_believed(job)]
    if not _are_most(jobs, listed):
        return
    reason = Reason(ReasonKind.WALL, "lists nothing any more, like others")
    end = _BELIEVED_LATER if pages.any_shown else "if it has sold all it had, crawl it no longer"
    text = (
        f"list nothing any more, {jobs[0].url} among them: the store may be in maintenance, have a new "
        f"design, or have sold them; {end}"
    )
    if left := [job for job in jobs if job not in walled]:
        yield Wall(left, len(listed), reason, text)


def _are_most(jobs: Collection[PageJob], of: Collection[PageJob]) -> bool:
    return 2 * len(jobs) > len(of)


def _alike(keys: Iterable[tuple[PageJob, str | None]]) -> Iterator[tuple[str, list[PageJob]]]:
    """Two pages or more with the same key; a page without one is like no other."""
    groups: dict[str, list[PageJob]] = {}
    for job, key in keys:
        if key:
            groups.setdefault(key, []).append(job)
    return ((key, jobs) for key, jobs in groups.items() if len(jobs) > 1)


def _address(jobs: Iterable[PageJob], pages: _Pages) -> str:
    """Where a page is that hides others: where they were redirected, whatever the query, or the first one."""
    landings = {(pages.contents[job].moved_to or "").partition("?")[0] for job in jobs}
    (landing, *others) = sorted(landings)
    return landing if landing and not others else urldefrag(next(iter(jobs)).url).url
