"""One host while a crawl runs: its rate limiter, its robots.txt, and whose fault trouble is."""

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from scraper.http.answer_times import AnswerTimes
from scraper.http.challenge import is_challenge
from scraper.http.errors import Blocked, FetchError, Postponed, TooLarge, TransientError
from scraper.http.limits import Limits
from scraper.http.rate_limiter import (
    DOWN_SECONDS,
    HostHistory,
    HostRateLimiter,
)
from scraper.http.reason import Reason
from scraper.http.request_rate import RequestRate
from scraper.http.retry_after import parse_retry_after
from scraper.http.robots import Robots
from scraper.http.sleep_watch import SleepWatch
from scraper.http.symptoms import TOO_MANY, Symptoms
from scraper.http.transport import Response, Transport, conditional_headers
from scraper.tables import ImageStatus, ReasonKind

#: How often a URL is refused as too much, while the host serves others, until the URL itself is to blame.
_MAX_REFUSALS = 6

#: Failures in a row after which the host's last good URL is requested, to learn whether the host is down.
_CHECK_AFTER = 3

#: So many failed pages, or images, without a good one between them, end the work on a host for now.
_FRUITLESS = 200

#: A first try may take this many times as long as the median answer, and at least so many seconds.
_SLOWER, _SHORTEST_SECONDS = 15, 1.0

#: If more of the last first tries than this took too long, the host itself is slow.
_RECENT, _TOO_LONG = 20, 8

_FORBIDDEN = {401, 403}

#: Errors that a host in order answers with; limiters use almost any other.
_ORDERLY = {404, 410, 451}

#: Troubles of the connection: they are never those of one URL.
_OF_THE_HOST = {ReasonKind.NO_CONNECTION, ReasonKind.TLS, ReasonKind.CERTIFICATE}

_CHALLENGE = Reason(ReasonKind.CHALLENGE, "a challenge page")
_ROBOTS_UNREADABLE = Reason(ReasonKind.ROBOTS_UNREADABLE, "robots.txt cannot be read")


@dataclass(frozen=True)
class _Answer:
    """What came of a request: a response, or an error in its place. Times are of `time.monotonic`."""

    started: float
    response: Response | None = None
    error: TransientError | None = None

    @property
    def retry_after(self) -> float | None:
        """Seconds for which the host asks us to wait."""
        return parse_retry_after(self.response.headers.get("retry-after")) if self.response else None


class Host:
    """A host by name (with its port). Thread-safe; when `stop` is set, waiting threads raise Stopped."""

    def __init__(
        self, name: str, limits: Limits, history: HostHistory, stop: threading.Event, sleep: SleepWatch
    ):
        self.name = name
        self.limiter = HostRateLimiter(
            name,
            _request_rate(limits, history),
            limits.concurrency,
            stop,
            limits.longest_wait_seconds,
            history.blocked_until,
        )
        self._timeout = limits.timeout_seconds
        self._sleep = sleep
        self._robots: Robots | None = None
        self._robots_lock = threading.Lock()
        #: The last good page, the last good image and robots.txt, without their bodies; and who fetched each.
        self._last_good: dict[str, tuple[Response, Transport]] = {}
        self._symptoms = Symptoms()
        #: Of each refused URL: its last symptom, how often it was refused, and the successes until then.
        self._refused: dict[str, _Refusals] = {}
        self._successes = self._failures_in_a_row = 0
        self._fruitless: Counter[str] = Counter()
        #: The times of pages and of images, and whether the last first tries took too long.
        self._times: dict[str, AnswerTimes] = defaultdict(AnswerTimes)
        self._too_long: deque[bool] = deque(maxlen=_RECENT)
        self._state = threading.Lock()
        self._check = threading.Lock()
        self._checked_at, self._gives = float("-inf"), False

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

    def request(
        self,
        url: str,
        transport: Transport,
        headers: Mapping[str, str],
        timeout: float,
        first_try: bool = False,
    ) -> Response:
        """A response other than a refusal, also a redirect or a 404; it may take `timeout` seconds.

        A `first_try` may take less, so that slow URLs do not hold up the others. Raises Postponed if the host
        refuses our speed or is in trouble; TransientError (also for a 5xx), TooLarge, or FetchError if the
        failure concerns this URL alone; Blocked, and Stopped.
        """
        if first_try:
            timeout = min(timeout, self._first_timeout(transport.content))
        answer = self._send(url, transport, headers, timeout)
        reason = _trouble(answer, transport)
        if first_try:
            self._too_long.append(reason is not None and reason.kind == ReasonKind.TIMEOUT)
        if reason is None:
            return self._accept(url, transport, answer)
        if self._means_overload(reason):
            raise self._refusal(url, answer, reason, transport)
        if self._asks_again(answer, reason):
            again = self._send(url, transport, headers, timeout, self._patience(reason))
            still = _trouble(again, transport)
            with self._state:
                self._symptoms.record_asked_again(reason, served=still is None)
            if still is None:
                if self._means_overload(reason):
                    self.limiter.record_rejection(answer.started, reason, None)
                return self._accept(url, transport, again)
            if self._symptoms.may_mean_overload(still) and self._refuses_others(transport.content):
                with self._state:
                    self._symptoms.record_overload(still)
                raise self._refusal(url, again, still, transport)
            answer, reason = again, still
        if _is_rejection(reason):
            error = self._rejection(answer, reason, transport.content)
            if isinstance(error, FetchError) and self._asks_again(answer, reason):
                # The window of a limiter may have opened since.
                again = self._send(url, transport, headers, timeout)
                if _trouble(again, transport) is None:
                    with self._state:
                        self._symptoms.record_asked_again(reason, served=True)
                    return self._accept(url, transport, again)
            raise error
        failure = self._failure(url, answer, reason, transport)
        if first_try and reason.kind == ReasonKind.TIMEOUT:
            raise Postponed(reason) from failure  # it gets all the time there is when it is asked for again
        raise failure

    @property
    def has_served(self) -> bool:
        """Whether the host has served a page or an image in this crawl."""
        return bool(self._last_good.keys() - {"robots"})

    def _first_timeout(self, content: str) -> float:
        """How long the first request of a page or an image may take, seconds."""
        with self._state:
            typical = self._times[content].typical
            if typical is None or self._too_long.count(True) > _TOO_LONG:
                return self._timeout
            return max(_SHORTEST_SECONDS, _SLOWER * typical)

    def _means_overload(self, reason: Reason) -> bool:
        with self._state:
            return self._symptoms.means_overload(reason, self.limiter.controller.rate)

    def _patience(self, reason: Reason) -> int:
        with self._state:
            return self._symptoms.patience(reason)

    def _asks_again(self, answer: _Answer, reason: Reason) -> bool:
        with self._state:
            return answer.retry_after is None and self._symptoms.worth_asking_again(reason)

    def _send(
        self,
        url: str,
        transport: Transport,
        headers: Mapping[str, str],
        timeout: float,
        alone: int = 0,
    ) -> _Answer:
        """Send a request; `alone` is the factor on the pause before one that is sent alone."""
        with self.limiter.acquire_alone(alone) if alone else self.limiter.acquire() as started:
            try:
                response = transport.get(url, headers, timeout)
            except TransientError as error:
                return _Answer(started, error=error)
            return _Answer(started, replace(response, seconds=time.monotonic() - started))

    def _accept(self, url: str, transport: Transport, answer: _Answer) -> Response:
        response = answer.response
        assert response is not None
        self.limiter.record_success(response.seconds)
        good = response.status in (200, 304)
        with self._state:
            self._symptoms.record_success()
            self._successes += 1
            self._failures_in_a_row = 0
            refusals = self._refused.pop(url, None)
            if refusals is not None:
                self._symptoms.record_asked_again(refusals.reason, served=True)
            # A host that blocks us, or whose store is down, may still serve its robots.txt.
            if _is_robots(url):
                self._last_good["robots"] = _without_body(response), transport
            elif good:
                self._last_good[transport.content] = _without_body(response), transport
                self._fruitless[transport.content] = 0
                self._times[transport.content].add(response.seconds)
        return response

    def _refusal(
        self, url: str, answer: _Answer, reason: Reason, transport: Transport
    ) -> Postponed | TransientError:
        """The host refuses our speed; a URL that it refuses again and again is to blame itself."""
        with self._state:
            known, successes = self._refused.get(url), self._successes
            refusals = self._remember(url, reason)
        others = (transport.content, "page", "image")
        if refusals.count > _MAX_REFUSALS:
            return TransientError(reason, answer.retry_after)
        if known is None:
            self.limiter.record_rejection(answer.started, reason, answer.retry_after)
            if self.limiter.refusals >= _CHECK_AFTER:
                self._serves_others(*others)
        else:
            self.limiter.pause(answer.retry_after)
            if known.successes == successes and not self._serves_others(*others):
                self.limiter.record_rejection(answer.started, reason, answer.retry_after)
        return Postponed(reason)

    def _rejection(self, answer: _Answer, reason: Reason, content: str) -> FetchError | Postponed:
        """The host forbids a URL, or asks for a human: is it about this URL alone?"""
        challenge = reason.kind == ReasonKind.CHALLENGE
        if self._serves_others(*([content] if challenge else [content, "page", "image"])):
            return FetchError(ImageStatus.FAILED if challenge else ImageStatus.REFUSED, reason)
        self.limiter.record_rejection(answer.started, reason, answer.retry_after)
        return Postponed(reason)

    def _failure(
        self, url: str, answer: _Answer, reason: Reason, transport: Transport
    ) -> TransientError | Postponed:
        """A 5xx, or no response: is it the URL, or the host?"""
        if self._sleep.slept_since(answer.started):
            return Postponed(reason)
        with self._state:
            self._failures_in_a_row += 1
            check = self._failures_in_a_row >= _CHECK_AFTER
        if reason.kind in _OF_THE_HOST or (check and not self._still_gives(answer, transport.content)):
            self.limiter.record_failure(answer.started, reason, answer.retry_after)
            return Postponed(reason)
        self.limiter.count_failure()
        with self._state:
            self._remember(url, reason)
            self._fruitless[transport.content] += 1
            if self._fruitless[transport.content] > _FRUITLESS:
                raise Blocked(self.name, time.time() + DOWN_SECONDS, reason)
        return TransientError(reason, answer.retry_after)

    def _still_gives(self, answer: _Answer, content: str) -> bool:
        """Whether the host still serves the last URL that it served.

        Threads that fail at the same time ask once.
        """
        with self._check:
            if self._checked_at <= answer.started:
                self._checked_at = time.monotonic()
                self._gives = self._serves_others(content, "page", "image", "robots")
            return self._gives

    def _serves_others(self, *contents: str) -> bool:
        """Whether the host still serves its last good URL of the first of these contents that it served."""
        good = self._good(*contents)
        return good is not None and self._still_serves(*good)

    def _refuses_others(self, content: str) -> bool:
        """Whether the host refuses its last good URL even when nothing else is requested."""
        good = self._good(content, "page", "image", "robots")
        return good is not None and not self._still_serves(*good, alone=1)

    def _good(self, *contents: str) -> tuple[Response, Transport] | None:
        goods = (self._last_good.get(content) for content in contents)
        return next((good for good in goods if good is not None), None)

    def _still_serves(self, good: Response, transport: Transport, alone: int = 0) -> bool:
        """Whether the host still serves this URL, which it has served."""
        validators = conditional_headers(good.headers.get("etag"), good.headers.get("last-modified"))
        try:
            answer = self._send(good.url, transport, validators, self._timeout, alone)
        except TooLarge:
            return True
        except FetchError:
            return False
        if answer.response is None:
            return False
        reason = _trouble(answer, transport)
        if reason is None:
            self.limiter.record_success(answer.response.seconds)
            with self._state:
                self._successes += 1
                self._failures_in_a_row = 0
                if not _is_robots(good.url):
                    self._fruitless[transport.content] = 0
        elif self._means_overload(reason):
            self.limiter.record_rejection(answer.started, reason, answer.retry_after)
        return reason is None

    def _remember(self, url: str, reason: Reason) -> "_Refusals":
        """Count a refusal of the URL, if the host has served others since the last one."""
        known = self._refused.get(url)
        count = 1 if known is None else known.count + (self._successes > known.successes)
        self._refused[url] = refusals = _Refusals(reason, count, self._successes)
        return refusals


@dataclass(frozen=True)
class _Refusals:
    reason: Reason
    count: int
    successes: int


def _request_rate(limits: Limits, history: HostHistory) -> RequestRate:
    if limits.requests_per_second is not None:
        return RequestRate.known(limits.requests_per_second, history.rate)
    return RequestRate.unknown(limits.max_requests_per_second, history.rate, history.converged)


def _trouble(answer: _Answer, transport: Transport) -> Reason | None:
    """What is wrong with an answer; None also for a redirect or a 404, which a host in order sends."""
    response = answer.response
    if response is None:
        assert answer.error is not None
        return answer.error.reason
    if is_challenge(response, instead_of_image=transport.content == "image"):
        return _CHALLENGE
    if response.status < 400 or response.status in _ORDERLY:
        return None
    # RFC 9309 2.3.1.3: a robots.txt that is not available forbids nothing.
    if response.status < 500 and response.status not in TOO_MANY and _is_robots(response.url):
        return None
    return Reason.of_status(response.status)


def _is_rejection(reason: Reason) -> bool:
    return reason.kind == ReasonKind.CHALLENGE or reason.http_status in _FORBIDDEN


def _without_body(response: Response) -> Response:
    return Response(response.url, response.status, response.headers)


def _is_robots(url: str) -> bool:
    return urlsplit(url).path == "/robots.txt"
