"""A page and an image to fetch, as the crawl's state knows them."""

from dataclasses import dataclass

from scraper.http.reason import OK, Outcome, Reason
from scraper.http.transport import conditional_headers
from scraper.tables import ImageStatus, ReasonKind

#: A page that ends so lists nothing any more, whatever it listed before.
_OPT_OUTS = {ReasonKind.X_ROBOTS_TAG, ReasonKind.META_ROBOTS}


@dataclass(frozen=True)
class PageRow:
    """A page in the state: `content` is JSON of a `PageContent`; `done`: finished in the current run.

    `parser` is the fingerprint of the parser and the settings that extracted the content. `attempts` failed
    since the page was last read. `doubted` is since when it shows nothing (wall clock).
    """

    done: bool
    outcome: Outcome
    attempts: int
    etag: str | None
    last_modified: str | None
    parser: str
    content: str | None
    doubted: float | None = None

    @property
    def lists_nothing(self) -> bool:
        """Whether the page is gone or opts out, so that its earlier content no longer holds."""
        reason = self.outcome.reason
        return self.outcome.status == ImageStatus.GONE or (reason is not None and reason.kind in _OPT_OUTS)


@dataclass(frozen=True)
class ImageJob:
    """An image to fetch, and what the last run knew of it: `sha256` is set if its file exists.

    `attempts` failed since the image was last fetched. `page_url` is the first of the pages that show it; a
    link list has none.
    """

    url: str
    etag: str | None
    last_modified: str | None
    sha256: str | None
    status: ImageStatus | None
    reason: Reason | None
    attempts: int = 0
    page_url: str | None = None

    @property
    def needs_request(self) -> bool:
        """Whether to request the image: it is not stored, or a validator can show whether it changed."""
        return self.sha256 is None or bool(self.etag or self.last_modified)

    @property
    def unchanged(self) -> Outcome:
        """The outcome if the image has not changed since."""
        return Outcome(self.status, self.reason) if self.status == ImageStatus.INVALID else OK


def validators(known: PageRow | ImageJob) -> dict[str, str]:
    """Headers that make the request conditional; empty if no validator is known."""
    if isinstance(known, ImageJob) and known.sha256 is None and known.status != ImageStatus.INVALID:
        return {}  # nothing is stored that could be unchanged
    return conditional_headers(known.etag, known.last_modified)
