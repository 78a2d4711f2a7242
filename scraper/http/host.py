"""One host while a crawl runs: its rate limiter, its robots.txt, and how it rejects us."""

import threading
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from scraper.http.challenge import is_challenge
from scraper.http.errors import Blocked, FetchError, TooLarge, TransientError
from scraper.http.limits import Limits
from scraper.http.rate_limiter import (
    BLOCK_AFTER,
    DOWN_SECONDS,
    HostHistory,
    HostRateLimiter,
)
from scraper.http.reason import Reason
from scraper.http.request_rate import RequestRate
from scraper.http.retry_after import parse_retry_after
from scraper.http.robots import Robots
from scraper.http.transport import Response, Transport, conditional_headers
from scraper.tables import ImageStatus, ReasonKind

#: How often one URL is requested that alone is rejected while the host serves others.
_MAX_REJECTIONS = 2 * BLOCK_AFTER

_FORBIDDEN = {401, 403}

_CHALLENGE = Reason(ReasonKind.CHALLENGE, "a challenge page")
_NO_ANSWER = Reason(ReasonKind.NO_ANSWER, "no answer")
_ROBOTS_UNREADABLE = Reason(ReasonKind.ROBOTS_UNREADABLE, "robots.txt cannot be read")


class Host:
    """A host by name (with its port). Thread-safe; when `stop` is set, waiting threads raise Stopped."""

    def __init__(self, name: str, limits: Limits, history: HostHistory, stop: threading.Event):
        self.name = name
        self.limiter = HostRateLimiter(
            name,
            _request_rate(limits, history),
            limits.concurrency,
            stop,
            limits.longest_wait_seconds,
            history.blocked_until,
        )
        self._robots: Robots | None = None
        self._robots_lock = threading.Lock()
        #: The last good response to a page and to an image, without its body.
        self._last_good: dict[str, Response] = {}

    def robots(self, load: Callable[[], Robots]) -> Robots:
        """The host's robots.txt; `load` fetches it the first time, and once a day.

        Raises Blocked if it can no longer be read, or asks for too long a Crawl-delay.
        """
        with self._robots_lock:
            if self._robots is None or not self._robots.fresh:
                loaded = load()
                if loaded.unreadable and self._robots is not None:
                    # It was readable a day ago: come back later rather than refuse everything that is left.
                    raise Blocked(self.name, time.time() + DOWN_SECONDS, _ROBOTS_UNREADABLE)
                self._robots = loaded
                self.limiter.set_crawl_delay(loaded.crawl_delay)
            return self._robots

    def request(self, url: str, transport: Transport, headers: Mapping[str, str]) -> Response:
        """A response other than a rejection, also a redirect or a 404.

        Rejected requests are repeated at the host's pace. Raises TransientError (also for 5xx), TooLarge,
        FetchError if the failure concerns this URL alone, Blocked, and Stopped.
        """
        rejections = 0
        while True:
            started, response = self._send(url, transport, headers)
            retry_after = _retry_after(response)
            rejection = self._rejection(url, transport, response)
            if rejection is None:
                return self._accept(response, transport, started, retry_after)
            self.limiter.record_rejection(started, rejection, retry_after)
            rejections += 1
            if rejections == _MAX_REJECTIONS:
                raise FetchError(ImageStatus.FAILED, rejection)

    def _accept(
        self, response: Response, transport: Transport, started: float, retry_after: float | None
    ) -> Response:
        if response.status >= 500 or response.status == 408:
            reason = Reason.of_status(response.status)
            self.limiter.record_failure(started, reason, retry_after)
            raise TransientError(reason, retry_after)
        self.limiter.record_success(time.monotonic() - started)
        # A host that blocks us may still serve its robots.txt.
        if response.status in (200, 304) and not _is_robots(response.url):
            self._last_good[transport.content] = Response(response.url, response.status, response.headers)
        return response

    def _send(self, url: str, transport: Transport, headers: Mapping[str, str]) -> tuple[float, Response]:
        with self.limiter.acquire() as started:
            try:
                return started, transport.get(url, headers)
            except TransientError as error:
                if error.reason.kind != ReasonKind.MALFORMED:
                    self.limiter.record_failure(started, _NO_ANSWER, None)
                raise

    def _rejection(self, url: str, transport: Transport, response: Response) -> Reason | None:
        """How the response tells us to go away; None if it concerns this URL alone."""
        good = self._last_good.get(transport.content)
        if is_challenge(response, instead_of_image=transport.content == "image"):
            if self._still_served(good, transport):
                raise FetchError(ImageStatus.FAILED, _CHALLENGE)
            return _CHALLENGE
        # RFC 9309 2.3.1.3: a forbidden robots.txt forbids nothing.
        if response.status in _FORBIDDEN and not _is_robots(url):
            good = good or next(iter(self._last_good.values()), None)
            return None if self._still_served(good, transport) else Reason.of_status(response.status)
        return Reason.of_status(429) if response.status == 429 else None

    def _still_served(self, good: Response | None, transport: Transport) -> bool:
        """Whether the host still serves its last good URL: then a rejection concerns its own URL alone."""
        if good is None:
            return False
        validators = conditional_headers(good.headers.get("etag"), good.headers.get("last-modified"))
        try:
            started, response = self._send(good.url, transport, validators)
        except TooLarge:
            return True
        except FetchError:
            return False
        if response.status == 429:
            self.limiter.record_rejection(started, Reason.of_status(429), _retry_after(response))
        return response.status in (200, 304) and not is_challenge(response, instead_of_image=False)


def _request_rate(limits: Limits, history: HostHistory) -> RequestRate:
    if limits.requests_per_second is not None:
        return RequestRate.known(limits.requests_per_second, history.rate)
    return RequestRate.unknown(limits.max_requests_per_second, history.rate, history.converged)


def _is_robots(url: str) -> bool:
    return urlsplit(url).path == "/robots.txt"


def _retry_after(response: Response) -> float | None:
    return parse_retry_after(response.headers.get("retry-after"))
