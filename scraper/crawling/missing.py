"""Count what is missing of a site: images that failed, and pages that could not be read."""

from scraper.crawling.session import Session
from scraper.monitoring.missing import Missing
from scraper.monitoring.summary import Ended
from scraper.tables import ImageStatus


def count_missing(session: Session) -> None:
    """Count into the summary what is missing; if that is more than tolerated, the crawl is incomplete."""
    summary, missing = session.summary, Missing()
    for classes, outcome, stored in session.state.images.listed():
        failed = not stored and (outcome.is_temporary or outcome.status == ImageStatus.BLOCKED)
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
