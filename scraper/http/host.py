"""One host while a crawl runs: its rate limiter, its robots.txt, and whose fault trouble is."""

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping

from scraper.http.answer import Answer, is_rejection, is_robots, trouble
from scraper.http.answer_times import AnswerTimes
from scraper.http.errors import Blocked, FetchError, Postponed, TooLarge, TransientError
from scraper.http.limits import Limits
from scraper.http.rate_limiter import (
    DOWN_SECONDS,
    HostHistory,
    HostRateLimiter,
)
from scraper.http.reason import Reason
from scraper.http.refused_urls import RefusedUrls
from scraper.http.request_rate import RequestRate
from scraper.http.robots import Robots
from scraper.http.sender import Sender
from scraper.http.sleep_watch import SleepWatch
from scraper.http.symptoms import Symptoms
from scraper.http.transport import Response, RobotsTransport, Transport, conditional_headers
from scraper.tables import ImageStatus, ReasonKind

#: How often a URL is refused as too much, while the host serves others, until the URL itself is to blame.
_MAX_REFUSALS = 6

#: After so many URLs that are refused for the first time, with none served between them, what the host served
#: before proves nothing: a cache may serve it.
_LONG_ROW = 20

#: How often trouble of a URL is taken for bad luck.
_MAX_BAD_LUCK = 2

#: How often a URL is forbidden, while the host serves others, until it is about that URL.
_MAX_REJECTIONS = 2

#: A host that sheds load is waited for at once if it asks for no more than this, seconds.
_SHORT_WAIT_SECONDS = 5.0

#: Failures in a row after which the host's last good URL is requested, to learn whether the host is down.
_CHECK_AFTER = 3

#: So many failed pages, or images, without a good one between them, end the work on a host for now.
_FRUITLESS = 200

#: A first try may take this many times as long as the median answer, and at least so many seconds.
_SLOWER, _SHORTEST_SECONDS = 15, 0.5

#: If more of the last first tries than this took too long, the host itself is slow.
_RECENT, _TOO_LONG = 20, 8

#: Troubles of the connection: they are never those of one URL.
_OF_THE_HOST = {ReasonKind.NO_CONNECTION, ReasonKind.TLS, ReasonKind.CERTIFICATE}

_ROBOTS_UNREADABLE = Reason(ReasonKind.ROBOTS_UNREADABLE, "robots.txt cannot be read")


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
        self._sender = Sender(self.limiter)
        self._timeout = limits.timeout_seconds
        self._sleep = sleep
        self._robots: Robots | None = None
        self._robots_lock = threading.Lock()
        #: The last good page, the last good image and robots.txt, without their bodies; and who fetched each.
        self._last_good: dict[str, tuple[Response, Transport]] = {}
        self._known_image, self._has_served = history.image_url, False
        self._symptoms = Symptoms()
        self._refused = RefusedUrls()
        self._successes = self._failures_in_a_row = 0
        self._fruitless: Counter[str] = Counter()
        #: The times of pages and of images, and whether the last first tries took too long.
        self._times: dict[str, AnswerTimes] = defaultdict(AnswerTimes)
        self._too_long: deque[bool] = deque(maxlen=_RECENT)
        self._state = threading.RLock()
        self._check, self._asking = threading.Lock(), threading.Lock()
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
        """A response other than a refusal, also a 404, or a redirect to another host.

        It may take `timeout` seconds; a `first_try` may take less, so that slow URLs do not hold up the
        others. Raises Postponed if the host refuses our speed or is in trouble; TransientError (also for a
        5xx), TooLarge, or FetchError if the failure concerns this URL alone; Blocked, and Stopped.
        """
        if first_try:
            timeout = min(timeout, self._first_timeout(transport.content))
        if self._known_image is not None and transport.content == "image":
            self._last_good.setdefault("image", (Response(self._known_image, 200, {}), transport))
        answer = self._send(url, transport, headers, timeout)
        reason = trouble(url, answer, transport)
        with self._state:
            self._symptoms.record_answer(reason)
        if first_try:
            self._too_long.append(reason is not None and reason.kind == ReasonKind.TIMEOUT)
        if reason is None:
            return self._accept(url, transport, answer)
        if self._is_known_refusal(answer, reason):
            raise self._refusal(url, answer, reason, transport)
        again = self._ask_again(url, transport, headers, timeout, answer, reason)
        if again is not None:
            still = trouble(url, again, transport)
            if still is None:
                return self._accept(url, transport, again)
            answer, reason = again, still
        elif self._means_overload(reason):
            raise self._postponement(url, answer, reason, _MAX_REJECTIONS)
        if is_rejection(reason):
            raise self._rejection(url, answer, reason, transport.content)
        failure = self._failure(url, answer, reason, transport)
        if first_try and reason.kind == ReasonKind.TIMEOUT:
            raise Postponed(reason) from failure  # it gets all the time there is when it is asked for again
        raise failure

    @property
    def has_served(self) -> bool:
        """Whether the host has served a page or an image in this crawl."""
        return self._has_served

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

    def _is_known_refusal(self, answer: Answer, reason: Reason) -> bool:
        """Whether asking again would teach nothing: the host names a time, or has just refused others."""
        if not self._means_overload(reason):
            return False
        by_its_share = not self._symptoms.may_mean_overload(reason)
        named = answer.retry_after is not None
        return by_its_share or named or self.limiter.has_refused_since(answer.started)

    def _ask_again(
        self,
        url: str,
        transport: Transport,
        headers: Mapping[str, str],
        timeout: float,
        answer: Answer,
        reason: Reason,
    ) -> Answer | None:
        """The answer to a URL that is asked for again at once; None if it is not.

        If the host is in trouble often, this is after a pause, when nothing else is requested: then it tells
        our speed from the URL. Threads whose requests fail at the same time do so one after the other: what
        the first one learns often spares the others the question. Raises Postponed if the host refuses
        others, too, or if the URL may have had bad luck.
        """
        with self._asking:
            if self._is_known_refusal(answer, reason):
                raise self._refusal(url, answer, reason, transport)
            wait = answer.retry_after or 0.0
            with self._state:
                if wait > _SHORT_WAIT_SECONDS or not self._symptoms.next_asks_again(reason):
                    return None
                alone = self._symptoms.is_frequent(reason) or self._means_overload(reason)
                patience = self._symptoms.patience(reason)
            if not alone and wait:
                raise self._postponement(url, answer, reason, _MAX_BAD_LUCK)
            self.limiter.pause(wait)
            again = self._send(url, transport, headers, timeout, patience if alone else 0)
            still = trouble(url, again, transport)
            if still is None:
                with self._state:
                    self._symptoms.record_served_again(reason)
                    means_overload = self._means_overload(reason)
                if means_overload:
                    self.limiter.record_rejection(answer.started, reason, None)
            elif not alone:
                if not is_rejection(still):
                    raise self._postponement(url, again, still, _MAX_BAD_LUCK)
            elif self._refuses_others(still, transport.content):
                raise self._refusal(url, again, still, transport)
            else:
                with self._state:
                    self._symptoms.record_in_vain(reason)
            return again

    def _send(
        self,
        url: str,
        transport: Transport,
        headers: Mapping[str, str],
        timeout: float,
        alone: int = 0,
    ) -> Answer:
        rules = None if isinstance(transport, RobotsTransport) else self._robots
        return self._sender.send(url, transport, headers, timeout, rules, alone)

    def _accept(self, url: str, transport: Transport, answer: Answer) -> Response:
        response = answer.response
        assert response is not None
        for _ in range(response.redirects + 1):
            self.limiter.record_success(response.seconds)
        good = response.status in (200, 304)
        with self._state:
            self._successes += 1
            self._failures_in_a_row = 0
            refusals = self._refused.pop(url)
            if refusals is not None:
                self._symptoms.record_served_again(refusals.reason)
            # A host that blocks us, or whose store is down, may still serve its robots.txt.
            if is_robots(url):
                self._last_good["robots"] = _without_body(response), transport
            elif good:
                self._has_served = True
                self._last_good[transport.content] = _without_body(response), transport
                self._fruitless[transport.content] = 0
                self._times[transport.content].add(response.seconds)
        return response

    def _refusal(
        self, url: str, answer: Answer, reason: Reason, transport: Transport
    ) -> Postponed | FetchError | TransientError:
        """The host refuses our speed; a URL that it refuses again and again is to blame itself."""
        with self._state:
            known, successes = self._refused.get(url), self._successes
        # Who named a time, and refuses the URL after it while it serves others, does not mean our speed.
        most = _MAX_REFUSALS if answer.retry_after is None else _MAX_REJECTIONS
        postponement = self._postponement(url, answer, reason, most)
        if not isinstance(postponement, Postponed):
            return postponement
        others = (transport.content, "page", "image")
        if known is None:
            self.limiter.record_rejection(answer.started, reason, answer.retry_after)
            if self.limiter.refusals >= _CHECK_AFTER:
                self._serves_others(*others)
        elif known.successes == successes and not self._serves_others(*others):
            self.limiter.record_rejection(answer.started, reason, answer.retry_after)
        return postponement

    def _postponement(
        self, url: str, answer: Answer, reason: Reason, most: int
    ) -> Postponed | FetchError | TransientError:
        """A refused URL is requested later, `most` times until it is to blame itself."""
        with self._state:
            count = self._refused.add(url, reason, self._successes)
        if count > most:
            return self._blame(reason, answer)
        return Postponed(reason, answer.retry_after)

    def _rejection(
        self, url: str, answer: Answer, reason: Reason, content: str
    ) -> Postponed | FetchError | TransientError:
        """The host forbids a URL, or asks for a human: is it about this URL alone?

        It is if the host serves others at the same time, on two occasions: a limiter's window may just have
        opened.
        """
        challenge = reason.kind == ReasonKind.CHALLENGE
        serves_others = self._serves_others(*([content] if challenge else [content, "page", "image"]))
        if not serves_others:
            self.limiter.record_rejection(answer.started, reason, answer.retry_after)
        if not serves_others or self.limiter.has_refused_since(answer.started):
            return Postponed(reason)
        with self._state:
            if self._refused.add(url, reason, self._successes) < _MAX_REJECTIONS:
                return Postponed(reason)
        return self._blame(reason, answer)

    def _blame(self, reason: Reason, answer: Answer) -> FetchError | TransientError:
        """The URL itself is to blame."""
        if not is_rejection(reason):
            return TransientError(reason, answer.retry_after)
        challenge = reason.kind == ReasonKind.CHALLENGE
        return FetchError(ImageStatus.FAILED if challenge else ImageStatus.REFUSED, reason)

    def _failure(
        self, url: str, answer: Answer, reason: Reason, transport: Transport
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
            self._refused.add(url, reason, self._successes)
            self._fruitless[transport.content] += 1
            if self._fruitless[transport.content] > _FRUITLESS:
                raise Blocked(self.name, time.time() + DOWN_SECONDS, reason)
        return TransientError(reason, answer.retry_after)

    def _still_gives(self, answer: Answer, content: str) -> bool:
        """Whether the host still serves the last URL that it served.

        Threads that fail at the same time ask once.
        """
        with self._check:
            if self._checked_at <= answer.started:
                self._checked_at = time.monotonic()
                good = self._good(content, "page", "image", "robots")
                self._gives = good is not None and self._still_serves(*good)
            return self._gives

    def _serves_others(self, *contents: str) -> bool:
        """Whether the host still serves its last good URL of the first of these contents that it served."""
        if self._refuses_new_ones(contents[0]):
            return False
        good = self._good(*contents)
        return good is not None and self._still_serves(*good)

    def _refuses_others(self, reason: Reason, content: str) -> bool:
        """Whether the host sheds load: it refuses its last good URL, too, when that is all we request."""
        if not self._symptoms.may_mean_overload(reason):
            return False
        good = None if self._refuses_new_ones(content) else self._good(content, "page", "image")
        return self._means_overload(reason) if good is None else not self._still_serves(*good, alone=1)

    def _refuses_new_ones(self, content: str) -> bool:
        """Whether nothing new was served for long; images are requested in an order that means nothing."""
        return content == "image" and self._refused.row >= _LONG_ROW and content in self._last_good

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
        reason = trouble(good.url, answer, transport)
        if reason is None:
            self.limiter.record_success(answer.response.seconds)
            with self._state:
                self._successes += 1
                self._failures_in_a_row = 0
                if not is_robots(good.url):
                    self._fruitless[transport.content] = 0
        elif self._means_overload(reason):
            self.limiter.record_rejection(answer.started, reason, answer.retry_after)
        return reason is None


def _request_rate(limits: Limits, history: HostHistory) -> RequestRate:
    if limits.requests_per_second is not None:
        return RequestRate.known(limits.requests_per_second, history.rate)
    return RequestRate.unknown(limits.max_requests_per_second, history.rate, history.converged)


def _without_body(response: Response) -> Response:
    return Response(response.url, response.status, response.headers)
