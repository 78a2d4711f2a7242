"""The exceptions of a crawl: each carries its reason as fields."""

from gemkit.errors import GemscrapeError
from scraper.http.reason import Outcome, Reason
from scraper.tables import ImageStatus, ReasonKind


class Stopped(GemscrapeError):
    """The crawl is ending: a thread that waits to send a request gives up."""

    kind = "stopped"


class Blocked(GemscrapeError):
    """The host rejects the crawler until `until` (wall clock), longer than the crawler is willing to wait."""

    kind = "blocked"

    def __init__(self, host: str, until: float, reason: Reason):
        super().__init__(f"{host} blocked us ({reason})")
        self.host, self.until, self.reason = host, until, reason


class Postponed(GemscrapeError):
    """The host refused a request for its speed, or is in trouble itself: the URL is not to blame.

    It is to be requested again, but not before `retry_after` seconds; its host waits as long as it must.
    """

    kind = "postponed"

    def __init__(self, reason: Reason, retry_after: float | None = None):
        super().__init__(reason.text)
        self.reason, self.retry_after = reason, retry_after


class TransientError(GemscrapeError):
    """A URL had no usable response this time; a retry may succeed, but not before `retry_after` seconds."""

    kind = "transient"

    def __init__(self, reason: Reason, retry_after: float | None = None):
        super().__init__(reason.text)
        self.reason, self.retry_after = reason, retry_after


class TooLarge(GemscrapeError):
    """The body is longer than the cap of `max_bytes`."""

    kind = "too_large"

    def __init__(self, max_bytes: int):
        super().__init__(f"more than {max_bytes} bytes")
        self.max_bytes = max_bytes
        self.reason = Reason(ReasonKind.TOO_LARGE, str(self))


class FetchError(GemscrapeError):
    """A URL failed for good; the crawl goes on."""

    kind = "fetch_failed"

    def __init__(self, status: ImageStatus, reason: Reason):
        self.outcome = Outcome(status, reason)
        super().__init__(str(self.outcome))
        self.status, self.reason = status, reason
