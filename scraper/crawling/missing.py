"""Count what is missing of a site: images that failed, and pages that could not be read."""

from collections import Counter
from collections.abc import Iterator

from scraper.crawling.session import Session
from scraper.http.reason import Outcome, Reason
from scraper.http.urls import host_of
from scraper.monitoring.missing import Missing
from scraper.monitoring.summary import Ended
from scraper.stores.config import HtmlSite
from scraper.tables import ImageStatus, ReasonKind

#: The answer of hosts that serve images to the pages of their own store alone, among other reasons.
_FORBIDDEN = Outcome(ImageStatus.REFUSED, Reason.of_status(403))


def count_missing(session: Session) -> None:
    """Count into the summary what is missing; if that is more than tolerated, the crawl is incomplete."""
    summary, missing = session.summary, Missing()
    known, forbidden = Counter[str](), Counter[str]()
    for url, classes, outcome, stored in session.state.images.listed():
        host = host_of(url)
        known[host] += 1
        forbidden[host] += outcome == _FORBIDDEN and not stored
        failed = not stored and _is_missing(outcome)
        missing.known += 1
        missing.count += failed
        for counts in map(missing.of_class, classes):
            counts.known += 1
            if failed:
                counts.images[outcome] += 1
            elif not stored:
                counts.lost_images[outcome] += 1
    for page in session.unread:
        missing.add_page(page)
    for name in session.state.images.stored_classes() & missing.classes.keys():
        missing.classes[name].stored = True
    summary.missing = missing
    summary.notes += _hints(session, known, forbidden)
    if summary.ended is Ended.FINISHED and missing.exceeds(session.source.tolerated):
        summary.ended = Ended.INCOMPLETE


def _is_missing(outcome: Outcome) -> bool:
    outside = outcome.reason is not None and outcome.reason.kind == ReasonKind.FILE_OUTSIDE
    return outcome.is_temporary or outcome.status == ImageStatus.BLOCKED or outside


def _hints(session: Session, known: Counter[str], forbidden: Counter[str]) -> Iterator[str]:
    """What may help with hosts that refuse most of their `known` images."""
    site = session.source.site
    if not isinstance(site, HtmlSite) or site.referer is not None:
        return
    for host, count in sorted(forbidden.items()):
        if 2 * count > known[host]:
            yield (
                f"{host} refuses {count} of {known[host]} images (HTTP 403): if browsers show them, set "
                f"'referer = \"page\"' in the file of the site '{site.name}'"
            )
