"""One polite request: allowed host, robots.txt, the host's turn, retries, redirects hop by hop."""

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
from scraper.http.limits import Limits, host_matches
from scraper.http.opt_out import KEEP_OUT, KEEP_OUT_PICTURES, x_robots_objection
from scraper.http.rate_limiter import (
    BLOCK_AFTER,
    DOWN_SECONDS,
    Blocked,
    Governor,
    HostMemory,
    Stopped,
    parse_retry_after,
)
from scraper.http.request_rate import KnownPace, PaceSearch
from scraper.http.robots import PRODUCT, Robots
from scraper.http.transport import (
    Answer,
    Elsewhere,
    Fault,
    ImageTransport,
    PageTransport,
    TooLarge,
    conditions,
)
from scraper.http.urls import host_of, is_private, url_key

MAX_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_GONE = {404, 410}
_UNWELCOME = {401, 403}

#: How often one URL is asked for that alone is turned away, while the host serves others.
_PATIENCE = 2 * BLOCK_AFTER

_FULL_JITTER = wait_random_exponential(multiplier=0.5, max=60)


class NotFetched(Exception):
    """The end of one URL: a `status` of scraper.tables.STATUSES and a `reason`; the crawl goes on."""

    def __init__(self, status: str, reason: str):
        super().__init__(f"{status}: {reason}")
        self.status, self.reason = status, reason


class _Host:
    """All that is known of one host while the crawl runs."""

    def __init__(self, governor: Governor):
        self.governor = governor
        self.robots: Robots | None = None
        self.robots_lock = threading.Lock()
        # Of pages and of images: URL and headers of the last good answer.
        self.last_good: dict[type, tuple[str, dict[str, str]]] = {}


class Fetcher:
    """Fetches pages and images from allowed hosts, from any number of threads.

    When `stop` is set, waiting threads raise Stopped. `heed_x_robots_tag` and `heed_content_signal`: whether
    what a store says about the use of its pictures is obeyed.
    """

    def __init__(
        self,
        page_hosts: list[str],
        image_hosts: list[str],
        limits: Limits,
        contact: str,
        stop: threading.Event,
        elsewhere: Elsewhere,
        memories: Mapping[str, HostMemory],
        heed_x_robots_tag: bool = True,
        heed_content_signal: bool = True,
    ):
        self._page_hosts, self._image_hosts = page_hosts, image_hosts
        self._limits, self.stop = limits, stop
        self._user_agent = f"{PRODUCT}/0.1 (+{contact})"
        self._elsewhere, self._memories = elsewhere, memories
        self._heed_x_robots_tag, self._heed_content_signal = heed_x_robots_tag, heed_content_signal
        self._hosts: dict[str, _Host] = {}
        self._hosts_lock = threading.Lock()
        self._local = threading.local()
        self.retrying = 0  # threads that wait to ask for the same again
        self._retrying = Retrying(
            retry=retry_if_exception(self._worth_another_try),
            stop=stop_after_attempt(limits.attempts),
            wait=_wait,
            sleep=self._sleep,
            reraise=True,
        )
        self._images = ImageTransport(
            self._user_agent, limits.timeout_seconds, limits.max_image_bytes, elsewhere
        )

    def page(self, url: str, validators: Mapping[str, str]) -> Answer:
        """A page: 200 with its body, or 304 to `validators`. Raises NotFetched, Blocked, Stopped."""
        answer = self._fetch(url, self._pages(), self._page_hosts, validators)
        self._check_tag(answer, KEEP_OUT_PICTURES)
        return answer

    def image(self, url: str, validators: Mapping[str, str]) -> Answer:
        """An image, as `page`."""
        answer = self._fetch(url, self._images, self._image_hosts, validators)
        self._check_tag(answer, KEEP_OUT)
        return answer

    def _check_tag(self, answer: Answer, rules: Set[str]) -> None:
        tag = answer.headers.get("x-robots-tag", "")
        if self._heed_x_robots_tag and (objection := x_robots_objection(tag, PRODUCT, rules)):
            raise NotFetched("refused", objection)

    @property
    def governors(self) -> list[Governor]:
        """Of each host asked so far."""
        return [host.governor for host in self._known()]

    def describe(self) -> str:
        """What each host asked allows now."""
        return "; ".join(governor.describe() for governor in self.governors)

    def _known(self) -> list[_Host]:
        with self._hosts_lock:
            return list(self._hosts.values())

    def _pages(self) -> PageTransport:
        if not hasattr(self._local, "pages"):
            limits = self._limits
            self._local.pages = PageTransport(
                self._user_agent, limits.timeout_seconds, limits.max_page_bytes, self._elsewhere
            )
        transport: PageTransport = self._local.pages
        return transport

    def _fetch(
        self,
        url: str,
        transport: PageTransport | ImageTransport,
        allowed: list[str],
        headers: Mapping[str, str],
    ) -> Answer:
        try:
            return self._retrying(self._follow, url, transport, allowed, headers)
        except Fault as fault:
            raise NotFetched("failed", str(fault)) from fault
        except TooLarge as error:
            raise NotFetched("invalid", str(error)) from error

    def _worth_another_try(self, error: BaseException) -> bool:
        return isinstance(error, Fault) and (error.retry_after or 0.0) <= self._limits.longest_wait_seconds

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
    ) -> Answer:
        for _ in range(MAX_REDIRECTS + 1):
            host = self._allowed_host(host_of(url), allowed)
            if objection := self._robots(host, url).objection(url):
                raise NotFetched("refused", objection)
            answer = self._ask(host, url, transport, headers)
            if answer.status not in _REDIRECTS:
                return _usable(answer, conditional=bool(headers))
            url = _target(answer)
            if not url:
                raise NotFetched("failed", f"HTTP {answer.status} to nowhere")
        raise NotFetched("failed", "too many redirects")

    def _allowed_host(self, name: str, allowed: list[str]) -> _Host:
        if not host_matches(name, allowed):
            raise NotFetched("refused", f"host {name} is not allowed")
        # A host that is named by the site itself may be one of this network.
        if name not in self._elsewhere and name not in allowed:
            try:
                private = is_private(name)
            except OSError:
                raise Fault("no connection") from None
            if private:
                raise NotFetched("refused", f"host {name} has a private address")
        return self._host(name)

    def _ask(
        self, host: _Host, url: str, transport: PageTransport | ImageTransport, headers: Mapping[str, str]
    ) -> Answer:
        """One answer that is not about our speed. Raises Fault (also for 5xx), NotFetched, Blocked."""
        refusal = None
        for _ in range(_PATIENCE):
            started, answer = self._send(host, url, transport, headers)
            retry_after = parse_retry_after(answer.headers.get("retry-after"))
            refusal = self._refusal(host, url, transport, answer)
            if refusal is not None:
                host.governor.turned_away(started, refusal, retry_after)
                continue
            if answer.status >= 500 or answer.status == 408:
                host.governor.faulted(started, f"HTTP {answer.status}", retry_after)
                raise Fault(f"HTTP {answer.status}", retry_after)
            host.governor.succeeded()
            # A host that blocks us may still serve its robots.txt.
            if answer.status in (200, 304) and urlsplit(url).path != "/robots.txt":
                host.last_good[type(transport)] = url, answer.headers
            return answer
        raise NotFetched("failed", refusal or "")

    def _refusal(
        self, host: _Host, url: str, transport: PageTransport | ImageTransport, answer: Answer
    ) -> str | None:
        """By what the answer tells us to go away; None when it is about this URL alone."""
        if is_challenge(answer, instead_of_image=transport is self._images):
            if self._welcome(host, transport, host.last_good.get(type(transport))):
                raise NotFetched("failed", "a challenge page")
            return "a challenge page"
        # RFC 9309 2.3.1.3: a robots.txt that is forbidden forbids nothing.
        if answer.status in _UNWELCOME and urlsplit(url).path != "/robots.txt":
            good = host.last_good.get(type(transport)) or next(iter(host.last_good.values()), None)
            return None if self._welcome(host, transport, good) else f"HTTP {answer.status}"
        return f"HTTP {answer.status}" if answer.status == 429 else None

    def _send(
        self, host: _Host, url: str, transport: PageTransport | ImageTransport, headers: Mapping[str, str]
    ) -> tuple[float, Answer]:
        with host.governor.turn() as started:
            try:
                return started, transport.get(url, headers)
            except Fault:
                host.governor.faulted(started, "no answer", None)
                raise

    def _welcome(
        self,
        host: _Host,
        transport: PageTransport | ImageTransport,
        good: tuple[str, dict[str, str]] | None,
    ) -> bool:
        """Whether what the host gave us lately, it still gives: then a refusal is about its URL alone."""
        if good is None:
            return False
        url, known = good
        try:
            started, answer = self._send(
                host, url, transport, conditions(known.get("etag"), known.get("last-modified"))
            )
        except TooLarge:
            return True
        if answer.status == 429:
            retry_after = parse_retry_after(answer.headers.get("retry-after"))
            host.governor.turned_away(started, "HTTP 429", retry_after)
        return answer.status in (200, 304) and not is_challenge(answer, instead_of_image=False)

    def _host(self, name: str) -> _Host:
        with self._hosts_lock:
            if name not in self._hosts:
                limits, memory = self._limits, self._memories.get(name, HostMemory())
                if limits.requests_per_second is not None:
                    pace: KnownPace | PaceSearch = KnownPace(limits.requests_per_second)
                elif memory.rate is not None:
                    pace = PaceSearch(memory.rate, memory.settled)
                else:
                    pace = PaceSearch()
                self._hosts[name] = _Host(
                    Governor(
                        name,
                        pace,
                        limits.concurrency,
                        self.stop,
                        limits.longest_wait_seconds,
                        memory.blocked_until,
                    )
                )
            return self._hosts[name]

    def _robots(self, host: _Host, url: str) -> Robots:
        with host.robots_lock:
            if host.robots is None or not host.robots.fresh:
                loaded = self._load_robots(host, urljoin(url, "/robots.txt"))
                if loaded.unreadable and host.robots is not None:
                    # It was there a day ago: rather come back than give up all that is left.
                    raise Blocked(host.governor.host, time.time() + DOWN_SECONDS, "robots.txt cannot be read")
                host.robots = loaded
                host.governor.set_crawl_delay(host.robots.crawl_delay)
            return host.robots

    def _load_robots(self, host: _Host, url: str) -> Robots:
        allowed = [*self._page_hosts, *self._image_hosts]
        for _ in range(MAX_REDIRECTS + 1):
            try:
                answer = self._retrying(self._ask, host, url, self._pages(), {})
            except (Fault, TooLarge, NotFetched) as error:
                return Robots.unreachable(str(error))
            if answer.status not in _REDIRECTS:
                return Robots.of(answer, self._heed_content_signal)
            url = _target(answer)
            try:
                host = self._allowed_host(host_of(url), allowed)
            except NotFetched:
                return Robots.unreachable(f"HTTP {answer.status} to another host")
        return Robots.unreachable("too many redirects")


def _wait(state: RetryCallState) -> float:
    fault = state.outcome.exception() if state.outcome else None
    return max(_FULL_JITTER(state), getattr(fault, "retry_after", None) or 0.0)


def _target(answer: Answer) -> str:
    location = answer.headers.get("location", "")
    return (url_key(location, answer.url) or "") if location else ""


def _usable(answer: Answer, conditional: bool) -> Answer:
    if answer.status == 200 or (answer.status == 304 and conditional):
        return answer
    reason = f"HTTP {answer.status}"
    if answer.status in _GONE:
        raise NotFetched("gone", reason)
    raise NotFetched("refused" if answer.status in _UNWELCOME else "failed", reason)
