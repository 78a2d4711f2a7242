"""Count what is missing of a site: images that failed, and pages that could not be read."""

from scraper.crawling.session import Session
from scraper.monitoring.missing import Missing
from scraper.monitoring.summary import Ended


def count_missing(session: Session) -> None:
    """Count into the summary what is missing; the crawl is incomplete if that is more than tolerated."""
    summary, missing = session.summary, Missing()
    for classes, outcome, stored in session.state.images.listed():
        failed = not stored and outcome.is_temporary
        _count(missing, failed)
        for counts in map(missing.of_class, classes):
            counts.known += 1
            if failed:
                counts.images[outcome] += 1
    for page in session.unread:
        if not page.lists:
            _count(missing, failed=True)
        for counts in map(missing.of_class, page.classes):
            counts.pages[page.outcome] += 1
            counts.known += 1
            counts.list_unread |= page.lists
    summary.missing = missing
    if missing.exceeds(session.source.tolerated):
        summary.ended = Ended.INCOMPLETE


def _count(missing: Missing, failed: bool) -> None:
    missing.known += 1
    missing.count += failed
