"""One polite request: allowed hosts, robots.txt, the host's rate limit, retries, redirects hop by hop."""

import threading
import time
from collections.abc import Mapping, Set
from urllib.parse import urljoin, urlsplit

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from scraper.http.challenge import is_challenge
from scraper.http.errors import Blocked, FetchError, Stopped, TooLarge, TransientError
from scraper.http.limits import Limits, host_matches
from scraper.http.opt_out import OPT_OUT_DIRECTIVES, PAGE_OPT_OUT_DIRECTIVES, disallowed_by_x_robots_tag
from scraper.http.rate_limiter import (
    BLOCK_AFTER,
    DOWN_SECONDS,
    HostHistory,
    HostRateLimiter,
    parse_retry_after,
)
from scraper.http.reason import Reason
from scraper.http.request_rate import AdaptiveRate, FixedRate
from scraper.http.robots import PRODUCT, Robots
from scraper.http.transport import (
    HostOverrides,
    ImageTransport,
    PageTransport,
    Response,
    conditional_headers,
)
from scraper.http.urls import host_of, is_private, url_key
from scraper.tables import ImageStatus, ReasonKind

MAX_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_GONE = {404, 410}
_FORBIDDEN = {401, 403}

#: How often one URL is requested that alone is rejected while the host serves others.
_MAX_REJECTIONS = 2 * BLOCK_AFTER

_CHALLENGE = Reason(ReasonKind.CHALLENGE, "a challenge page")
_NO_ANSWER = Reason(ReasonKind.NO_ANSWER, "no answer")

_FULL_JITTER = wait_random_exponential(multiplier=0.5, max=60)


class _Host:
    """What is known of one host while the crawl runs."""

    def __init__(self, limiter: HostRateLimiter):
        self.limiter = limiter
        self.robots: Robots | None = None
        self.robots_lock = threading.Lock()
        # Per transport (pages, images): URL and headers of the last good response.
        self.last_good: dict[type, tuple[str, dict[str, str]]] = {}


class Fetcher:
    """Fetches pages and images from allowed hosts, from any number of threads.

    When `stop` is set, waiting threads raise Stopped. `respect_x_robots_tag` and `respect_content_signal`:
    whether the store's opt-outs for its images are obeyed.
    """

    def __init__(
        self,
        page_hosts: list[str],
        image_hosts: list[str],
        limits: Limits,
        contact: str,
        stop: threading.Event,
        host_overrides: HostOverrides,
        histories: Mapping[str, HostHistory],
        respect_x_robots_tag: bool = True,
        respect_content_signal: bool = True,
    ):
        self._page_hosts, self._image_hosts = page_hosts, image_hosts
        self._limits, self.stop = limits, stop
        self._user_agent = f"{PRODUCT}/0.1 (+{contact})"
        self._host_overrides, self._histories = host_overrides, histories
        self._respect_x_robots_tag = respect_x_robots_tag
        self._respect_content_signal = respect_content_signal
        self._hosts: dict[str, _Host] = {}
        self._hosts_lock = threading.Lock()
        self._local = threading.local()
        self.retrying = 0  # threads that wait before they retry
        self._retrying = Retrying(
            retry=retry_if_exception(self._is_retryable),
            stop=stop_after_attempt(limits.attempts),
            wait=_wait,
            sleep=self._sleep,
            reraise=True,
        )
        self._images = ImageTransport(
            self._user_agent, limits.timeout_seconds, limits.max_image_bytes, host_overrides
        )

    def page(self, url: str, validators: Mapping[str, str]) -> Response:
        """A page: 200 with its body, or 304 to `validators`. Raises FetchError, Blocked, Stopped."""
        response = self._fetch(url, self._pages(), self._page_hosts, validators)
        self._check_x_robots_tag(response, PAGE_OPT_OUT_DIRECTIVES)
        return response

    def image(self, url: str, validators: Mapping[str, str]) -> Response:
        """An image; returns and raises the same as `page`."""
        response = self._fetch(url, self._images, self._image_hosts, validators)
        self._check_x_robots_tag(response, OPT_OUT_DIRECTIVES)
        return response

    def _check_x_robots_tag(self, response: Response, directives: Set[str]) -> None:
        tag = response.headers.get("x-robots-tag", "")
        if self._respect_x_robots_tag and (reason := disallowed_by_x_robots_tag(tag, PRODUCT, directives)):
            raise FetchError(ImageStatus.REFUSED, reason)

    @property
    def rate_limiters(self) -> list[HostRateLimiter]:
        """One for each host contacted so far."""
        return [host.limiter for host in self._known_hosts()]

    def describe(self) -> str:
        """The rate of each host contacted so far."""
        return "; ".join(limiter.describe() for limiter in self.rate_limiters)

    def _known_hosts(self) -> list[_Host]:
        with self._hosts_lock:
            return list(self._hosts.values())

    def _pages(self) -> PageTransport:
        if not hasattr(self._local, "pages"):
            limits = self._limits
            self._local.pages = PageTransport(
                self._user_agent, limits.timeout_seconds, limits.max_page_bytes, self._host_overrides
            )
        transport: PageTransport = self._local.pages
        return transport

    def _fetch(
        self,
        url: str,
        transport: PageTransport | ImageTransport,
        allowed: list[str],
        headers: Mapping[str, str],
    ) -> Response:
        try:
            return self._retrying(self._follow, url, transport, allowed, headers)
        except TransientError as error:
            raise FetchError(ImageStatus.FAILED, error.reason) from error
        except TooLarge as error:
            raise FetchError(ImageStatus.INVALID, error.reason) from error

    def _is_retryable(self, error: BaseException) -> bool:
        return (
            isinstance(error, TransientError)
            and (error.retry_after or 0.0) <= self._limits.longest_wait_seconds
        )

    def _sleep(self, seconds: float) -> None:
        with self._hosts_lock:
            self.retrying += 1
        try:
            if self.stop.wait(seconds):
                raise Stopped
        finally:
            with self._hosts_lock:
                self.retrying -= 1

    def _follow(
        self,
        url: str,
        transport: PageTransport | ImageTransport,
        allowed: list[str],
        headers: Mapping[str, str],
    ) -> Response:
        for _ in range(MAX_REDIRECTS + 1):
            host = self._allowed_host(host_of(url), allowed)
            if reason := self._robots(host, url).disallowed_by(url):
                raise FetchError(ImageStatus.REFUSED, reason)
            response = self._request(host, url, transport, headers)
            if response.status not in _REDIRECTS:
                return _usable(response, conditional=bool(headers))
            url = _target(response)
            if not url:
                raise _failed(ReasonKind.REDIRECT, f"HTTP {response.status} to nowhere")
        raise _failed(ReasonKind.REDIRECT, "too many redirects")

    def _allowed_host(self, name: str, allowed: list[str]) -> _Host:
        if not host_matches(name, allowed):
            reason = Reason(ReasonKind.HOST_NOT_ALLOWED, f"host {name} is not allowed")
            raise FetchError(ImageStatus.REFUSED, reason)
        # A host that the site itself names may have a private address.
        if name not in self._host_overrides and name not in allowed:
            try:
                private = is_private(name)
            except OSError:
                raise TransientError(Reason(ReasonKind.NO_CONNECTION, "no connection")) from None
            if private:
                reason = Reason(ReasonKind.PRIVATE_ADDRESS, f"host {name} has a private address")
                raise FetchError(ImageStatus.REFUSED, reason)
        return self._host(name)

    def _request(
        self, host: _Host, url: str, transport: PageTransport | ImageTransport, headers: Mapping[str, str]
    ) -> Response:
        """A response other than a rejection. Raises TransientError (also for 5xx), FetchError, Blocked."""
        for _ in range(_MAX_REJECTIONS):
            started, response = self._send(host, url, transport, headers)
            retry_after = parse_retry_after(response.headers.get("retry-after"))
            rejection = self._rejection_reason(host, url, transport, response)
            if rejection is not None:
                host.limiter.record_rejection(started, rejection, retry_after)
                continue
            if response.status >= 500 or response.status == 408:
                reason = Reason.of_status(response.status)
                host.limiter.record_failure(started, reason, retry_after)
                raise TransientError(reason, retry_after)
            host.limiter.record_success()
            # A host that blocks us may still serve its robots.txt.
            if response.status in (200, 304) and urlsplit(url).path != "/robots.txt":
                host.last_good[type(transport)] = url, response.headers
            return response
        assert rejection is not None
        raise FetchError(ImageStatus.FAILED, rejection)

    def _rejection_reason(
        self, host: _Host, url: str, transport: PageTransport | ImageTransport, response: Response
    ) -> Reason | None:
        """How the response tells us to go away; None if it concerns this URL alone."""
        if is_challenge(response, instead_of_image=transport is self._images):
            if self._still_served(host, transport, host.last_good.get(type(transport))):
                raise FetchError(ImageStatus.FAILED, _CHALLENGE)
            return _CHALLENGE
        status = Reason.of_status(response.status)
        # RFC 9309 2.3.1.3: a forbidden robots.txt forbids nothing.
        if response.status in _FORBIDDEN and urlsplit(url).path != "/robots.txt":
            good = host.last_good.get(type(transport)) or next(iter(host.last_good.values()), None)
            return None if self._still_served(host, transport, good) else status
        return status if response.status == 429 else None

    def _send(
        self, host: _Host, url: str, transport: PageTransport | ImageTransport, headers: Mapping[str, str]
    ) -> tuple[float, Response]:
        with host.limiter.acquire() as started:
            try:
                return started, transport.get(url, headers)
            except TransientError:
                host.limiter.record_failure(started, _NO_ANSWER, None)
                raise

    def _still_served(
        self,
        host: _Host,
        transport: PageTransport | ImageTransport,
        good: tuple[str, dict[str, str]] | None,
    ) -> bool:
        """Whether the host still serves its last good URL: then a rejection concerns its own URL alone."""
        if good is None:
            return False
        url, known = good
        try:
            started, response = self._send(
                host, url, transport, conditional_headers(known.get("etag"), known.get("last-modified"))
            )
        except TooLarge:
            return True
        if response.status == 429:
            retry_after = parse_retry_after(response.headers.get("retry-after"))
            host.limiter.record_rejection(started, Reason.of_status(429), retry_after)
        return response.status in (200, 304) and not is_challenge(response, instead_of_image=False)

    def _host(self, name: str) -> _Host:
        with self._hosts_lock:
            if name not in self._hosts:
                limits, history = self._limits, self._histories.get(name, HostHistory())
                if limits.requests_per_second is not None:
                    controller: FixedRate | AdaptiveRate = FixedRate(limits.requests_per_second)
                elif history.rate is not None:
                    controller = AdaptiveRate(history.rate, history.converged)
                else:
                    controller = AdaptiveRate()
                self._hosts[name] = _Host(
                    HostRateLimiter(
                        name,
                        controller,
                        limits.concurrency,
                        self.stop,
                        limits.longest_wait_seconds,
                        history.blocked_until,
                    )
                )
            return self._hosts[name]

    def _robots(self, host: _Host, url: str) -> Robots:
        with host.robots_lock:
            if host.robots is None or not host.robots.fresh:
                loaded = self._load_robots(host, urljoin(url, "/robots.txt"))
                if loaded.unreadable and host.robots is not None:
                    # It was readable a day ago: come back later rather than refuse everything that is left.
                    reason = Reason(ReasonKind.ROBOTS_UNREADABLE, "robots.txt cannot be read")
                    raise Blocked(host.limiter.host, time.time() + DOWN_SECONDS, reason)
                host.robots = loaded
                host.limiter.set_crawl_delay(host.robots.crawl_delay)
            return host.robots

    def _load_robots(self, host: _Host, url: str) -> Robots:
        allowed = [*self._page_hosts, *self._image_hosts]
        for _ in range(MAX_REDIRECTS + 1):
            try:
                response = self._retrying(self._request, host, url, self._pages(), {})
            except (TransientError, TooLarge, FetchError) as error:
                return Robots.unreachable(str(error))
            if response.status not in _REDIRECTS:
                return Robots.from_response(response, self._respect_content_signal)
            url = _target(response)
            try:
                host = self._allowed_host(host_of(url), allowed)
            except FetchError:
                return Robots.unreachable(f"HTTP {response.status} to another host")
        return Robots.unreachable("too many redirects")


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return max(_FULL_JITTER(state), getattr(error, "retry_after", None) or 0.0)


def _target(response: Response) -> str:
    location = response.headers.get("location", "")
    return (url_key(location, response.url) or "") if location else ""


def _usable(response: Response, conditional: bool) -> Response:
    if response.status == 200 or (response.status == 304 and conditional):
        return response
    reason = Reason.of_status(response.status)
    if response.status in _GONE:
        raise FetchError(ImageStatus.GONE, reason)
    raise FetchError(ImageStatus.REFUSED if response.status in _FORBIDDEN else ImageStatus.FAILED, reason)


def _failed(kind: ReasonKind, text: str) -> FetchError:
    return FetchError(ImageStatus.FAILED, Reason(kind, text))
