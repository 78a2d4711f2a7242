"""Count what is missing of a site: images that failed, and pages that could not be read."""

from scraper.crawling.session import Session
from scraper.http.reason import Outcome
from scraper.monitoring.missing import Missing
from scraper.monitoring.summary import Ended
from scraper.tables import ImageStatus, ReasonKind

_NO_ANSWERS = {ReasonKind.EMPTY, ReasonKind.HTML_INSTEAD_OF_IMAGE}


def count_missing(session: Session) -> None:
    """Count into the summary what is missing; if that is more than tolerated, the crawl is incomplete."""
    summary, missing = session.summary, Missing()
    for classes, outcome, stored in session.state.images.listed():
        failed = not stored and _is_missing(outcome)
        missing.known += 1
        missing.count += failed
        for counts in map(missing.of_class, classes):
            counts.known += 1
            if failed:
                counts.images[outcome] += 1
    for page in session.unread:
        missing.add_page(page)
    summary.missing = missing
    if summary.ended is Ended.FINISHED and missing.exceeds(session.source.tolerated):
        summary.ended = Ended.INCOMPLETE


def _is_missing(outcome: Outcome) -> bool:
    return outcome.is_temporary or outcome.status == ImageStatus.BLOCKED or _says_nothing(outcome)


def _says_nothing(outcome: Outcome) -> bool:
    """Whether a response had nothing of an image: limiters and broken shops answer so with status 200."""
    return outcome.reason is not None and outcome.reason.kind in _NO_ANSWERS
