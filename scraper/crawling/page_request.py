"""Request one page and parse it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urljoin

from w3lib.encoding import http_content_type_encoding

from scraper.crawling.frontier import PageJob
from scraper.http.errors import FetchError, Postponed, TransientError
from scraper.http.fetcher import Fetcher
from scraper.http.reason import Outcome, Reason
from scraper.http.transport import Response
from scraper.stores.config import HtmlSite
from scraper.stores.document import Document
from scraper.stores.html_store import PARSERS
from scraper.stores.page_digest import page_digest
from scraper.stores.page_tree import TooComplex
from scraper.stores.page_words import saying
from scraper.stores.records import PageContent, Saying
from scraper.tables import ImageStatus, ReasonKind

#: No store has this page.
_NO_PAGE = "/gemscrape-asks-for-no-page"

_NOT_UNDERSTOOD = Reason(ReasonKind.PARSER, "cannot be understood")
_EMPTY = TransientError(Reason(ReasonKind.EMPTY, "empty page"))
_BREAKS_OFF = TransientError(Reason(ReasonKind.TRUNCATED, "the page breaks off"))


@dataclass(frozen=True)
class PageResult:
    """A page was parsed (`content`), has not changed (no field is set), or could not be read (`failure`).

    `url` is where it was read. `error`: the page is to be requested again. `everywhere`: the store answers
    with this page whatever is requested.
    """

    url: str
    content: PageContent | None = None
    headers: dict[str, str] | None = None
    failure: Outcome | None = None
    error: TransientError | Postponed | None = None
    everywhere: bool = False

    def landed(self, job: PageJob) -> PageContent:
        """The content of a page that was parsed, and where it was read unless that is its own URL."""
        assert self.content is not None
        return replace(self.content, moved_to=self.url if self.url != job.url else None)

    @classmethod
    def to_repeat(cls, url: str, error: TransientError) -> "PageResult":
        """The page at `url` had no usable response this time."""
        return cls(url, failure=Outcome(ImageStatus.FAILED, error.reason), error=error)


def read_page(
    fetcher: Fetcher, site: HtmlSite, job: PageJob, known: Mapping[str, str], first_try: bool
) -> PageResult:
    """Request a page, conditionally if validators are `known`. Raises Blocked and Stopped."""
    try:
        response = fetcher.page(job.url, known, first_try)
    except FetchError as error:
        return PageResult(job.url, failure=error.outcome)
    except TransientError as error:
        return PageResult.to_repeat(job.url, error)
    except Postponed as error:
        return PageResult(job.url, error=error)
    if response.status == 304:
        return PageResult(response.url)
    if not response.body.strip():
        return PageResult.to_repeat(job.url, _EMPTY)
    try:
        document = _document(response)
        fetcher.check_meta(document.meta)
        content = PARSERS[site.kind](site, job.role, document)
        content = replace(content, digest=page_digest(document, job.url), saying=_saying(document, job))
    except FetchError as error:
        return PageResult(job.url, failure=error.outcome)
    except Exception:  # one untrusted page that breaks the parser must not end a night's crawl
        return PageResult(job.url, failure=Outcome(ImageStatus.INVALID, _NOT_UNDERSTOOD))
    if content.is_empty and breaks_off(response.body):
        return PageResult.to_repeat(job.url, _BREAKS_OFF)
    everywhere = job.role == "start" and content.is_empty and _is_everywhere(fetcher, content, response.url)
    return PageResult(response.url, content, response.headers, everywhere=everywhere)


def _saying(document: Document, job: PageJob) -> Saying:
    """A start page that leads nowhere is a wall, whatever it says."""
    leads_on = job.role != "start" or document.soup.select_one("a[href]") is not None
    return saying(document) if leads_on else "wall"


def breaks_off(body: bytes) -> bool:
    """Whether a page ends within a tag."""
    _, bracket, tag = body.rpartition(b"<")
    return bool(bracket) and re.fullmatch(rb"[a-zA-Z/][^>]*", tag) is not None


def _is_everywhere(fetcher: Fetcher, content: PageContent, url: str) -> bool:
    """Whether the host of a page answers with the same one where there is none."""
    url = urljoin(url, _NO_PAGE)
    try:
        response = fetcher.page(url, {})
        return response.url == url and page_digest(_document(response), url) == content.digest
    except (FetchError, TransientError, Postponed, TooComplex):
        return False


def _document(response: Response) -> Document:
    charset = http_content_type_encoding(response.headers.get("content-type"))
    return Document(response.url, response.body, charset, response.headers.get("link", ""))
