"""Request one page and parse it."""

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
from scraper.stores.records import PageContent
from scraper.tables import ImageStatus, ReasonKind

#: No store has this page.
_NO_PAGE = "/gemscrape-asks-for-no-page"

_NOT_UNDERSTOOD = Reason(ReasonKind.PARSER, "cannot be understood")


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


def read_page(
    fetcher: Fetcher, site: HtmlSite, job: PageJob, known: Mapping[str, str], first_try: bool
) -> PageResult:
    """Request a page, conditionally if validators are `known`. Raises Blocked and Stopped."""
    try:
        response = fetcher.page(job.url, known, first_try)
    except FetchError as error:
        return PageResult(job.url, failure=error.outcome)
    except TransientError as error:
        return PageResult(job.url, failure=Outcome(ImageStatus.FAILED, error.reason), error=error)
    except Postponed as error:
        return PageResult(job.url, error=error)
    if response.status == 304:
        return PageResult(response.url)
    try:
        document = _document(response)
        fetcher.check_meta(document.meta)
        content = PARSERS[site.kind](site, job.role, document)
        content = replace(content, digest=page_digest(document, job.url))
    except FetchError as error:
        return PageResult(job.url, failure=error.outcome)
    except Exception:  # one untrusted page that breaks the parser must not end a night's crawl
        return PageResult(job.url, failure=Outcome(ImageStatus.INVALID, _NOT_UNDERSTOOD))
    everywhere = job.role == "start" and content.is_empty and _is_everywhere(fetcher, content, response.url)
    return PageResult(response.url, content, response.headers, everywhere=everywhere)


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
