"""Rate limit, backoff and blocks of a host: one object per host, shared by all threads that talk to it."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from scraper.http.errors import Blocked, Stopped
from scraper.http.pace import Pace
from scraper.http.reason import Reason
from scraper.http.request_rate import RequestRate
from scraper.http.retry_after import LONGEST_SECONDS
from scraper.tables import ReasonKind

#: Rejections in a row, without a successful response between them, that count as a block.
BLOCK_AFTER = 7

#: Length of a block for which the host gives no time, seconds.
BLOCK_SECONDS = 3600.0

#: Failures of a host in a row, without a successful response between them, after which it is down; seconds.
DOWN_AFTER, DOWN_SECONDS = 12, 600.0

_RECENT = 51

#: The pause before a request that is sent alone: at least so many seconds, and intervals between requests.
_ALONE_SECONDS, _ALONE_INTERVALS = 0.25, 3

#: A request that is sent alone waits no longer than this for those in flight to end, seconds.
_IDLE_SECONDS = 10.0

#: How long the other threads wait until they look whether it has been sent, seconds.
_TURN_SECONDS = 0.02

#: How long a thread waits until it looks whether the host has blocked us meanwhile, seconds.
_LOOK_SECONDS = 0.5

_REJECTION_SECONDS, _FAILURE_SECONDS = 0.5, 0.125


@dataclass
class Counters:
    """Requests to one host and its responses; times are of `time.monotonic`, in seconds."""

    requests: int = 0
    rejections: int = 0
    failures: int = 0
    waited: float = 0.0
    first: float | None = None
    last: float | None = None
    last_rejection: float | None = None
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))

    @property
    def rate(self) -> float:
        """Requests a second between the first and the last."""
        if self.first is None or self.last is None or self.last <= self.first:
            return 0.0
        return (self.requests - 1) / (self.last - self.first)

    @property
    def rate_now(self) -> float:
        """Requests a second over the last 50; it falls while no request is sent."""
        times = list(self.recent)
        return (len(times) - 1) / max(time.monotonic() - times[0], 1e-9) if len(times) > 1 else 0.0


@dataclass
class HostRateLimiter:
    """Pace, concurrency, Crawl-delay and block state of one host. Thread-safe.

    `blocked_until` is the wall clock time at which a known block ends.
    """

    host: str
    controller: RequestRate
    concurrency: int
    stop: threading.Event
    longest_wait: float = 900.0
    blocked_until: float | None = None
    counters: Counters = field(default_factory=Counters)

    def __post_init__(self) -> None:
        self._slots = threading.BoundedSemaphore(self.concurrency)
        self._queue = threading.Lock()
        self._state = threading.Lock()
        self._pace = Pace(self.controller, time.monotonic())
        self._failures_since_success = 0
        self._last_failure = float("-inf")
        self._block: Blocked | None = None
        self._alone = False  # a thread waits to send alone
        self._in_flight = 0
        if self.blocked_until is not None:
            self._pace.pause(time.monotonic() + self.blocked_until - time.time())

    def set_crawl_delay(self, seconds: float) -> None:
        """Keep `seconds` between requests from now on. Raises Blocked if that exceeds `longest_wait`."""
        if seconds > self.longest_wait:
            reason = Reason(ReasonKind.CRAWL_DELAY, "Crawl-delay")
            raise Blocked(self.host, time.time() + min(seconds, LONGEST_SECONDS), reason)
        with self._state:
            if seconds > 0:
                self._pace.cap(1 / seconds)

    @contextmanager
    def acquire(self) -> Iterator[float]:
        """Wait until a request is due and hold one of the host's slots; yields the time of the request.

        Raises Stopped when the crawl ends first, and Blocked once the host has blocked us.
        """
        with self._slots:
            with self._queue:  # one thread waits for the next due time, the others wait for that thread
                started = self._wait()
            with self._flight():
                yield started

    @contextmanager
    def acquire_alone(self, patience: int = 1) -> Iterator[float]:
        """Like `acquire`, for one thread at a time, whose request has just ended: it sends to an idle host.

        The host has had so long a pause then that only a limiter far slower than our rate would refuse;
        `patience` is a factor on it.
        """
        with self._state:
            self._alone = True
            pause = patience * max(_ALONE_SECONDS, _ALONE_INTERVALS * self.controller.interval)
            self._pace.pause(time.monotonic() + pause)
        try:
            started = self._wait(idle_by=time.monotonic() + pause + _IDLE_SECONDS)
        finally:
            with self._state:
                self._alone = False
        with self._flight():
            yield started

    @contextmanager
    def _flight(self) -> Iterator[None]:
        try:
            yield
        finally:
            with self._state:
                self._in_flight -= 1

    def _wait(self, idle_by: float | None = None) -> float:
        """Wait until a request is due; with `idle_by` also until the host is idle, or it is that time."""
        while True:
            now = time.monotonic()
            with self._state:
                if self._block is not None:
                    raise self._block
                paused, ready = self._pace.paused_until, self._pace.ready
                if self._alone if idle_by is None else self._in_flight and now < idle_by:
                    ready = max(ready, now) + _TURN_SECONDS
                if ready <= now and not self.stop.is_set():
                    self._pace.sent(now)
                    self._in_flight += 1
                    counters = self.counters
                    counters.requests += 1
                    counters.first = now if counters.first is None else counters.first
                    counters.last = now
                    counters.recent.append(now)
                    return now
            if self.stop.wait(min(max(ready - now, 0), _LOOK_SECONDS)):
                raise Stopped
            if paused > now:
                self.counters.waited += time.monotonic() - now

    def record_success(self, seconds: float) -> None:
        """A usable answer took that long: reset the counts of rejections and failures in a row."""
        with self._state:
            self._failures_since_success = 0
            self._pace.succeeded(time.monotonic(), seconds)

    def count_failure(self) -> None:
        """A URL failed by its own fault."""
        with self._state:
            self.counters.failures += 1

    def record_failure(self, started: float, reason: Reason, retry_after: float | None) -> None:
        """The host no longer serves what it has served: all threads wait.

        A 5xx also counts as too high a rate. Failures of requests that were sent before the last one arrived
        count once. Raises Blocked when the host asks for too long a wait or is down.
        """
        with self._state:
            self.counters.failures += 1
            if started < self._last_failure:
                return
            self._last_failure = time.monotonic()
            self._failures_since_success += 1
            longest = min(_FAILURE_SECONDS * 2**self._failures_since_success, self.longest_wait)
            self._pace.back_off(time.monotonic(), longest)
            self._pace.pause(time.monotonic() + (retry_after or 0))
            if reason.is_server_error:
                self.controller.on_rejected(time.monotonic())
            if (retry_after or 0) > self.longest_wait or self._failures_since_success >= DOWN_AFTER:
                raise self._blocked(max(retry_after or 0, DOWN_SECONDS), reason)

    def record_rejection(self, started: float, reason: Reason, retry_after: float | None) -> None:
        """The host refused the request sent at `started` because of our speed, or refuses everything.

        All threads wait, at least `retry_after` seconds. Responses to requests that were sent before the last
        rejection arrived belong to the same burst and count once. Raises Blocked after `BLOCK_AFTER` of them
        in a row, or when `retry_after` is too long.
        """
        with self._state:
            now = time.monotonic()
            self.counters.rejections += 1
            self.counters.last_rejection = now
            self._pace.refused(now, started, _REJECTION_SECONDS)
            if retry_after is not None:
                self._pace.pause(now + retry_after)
            if (retry_after or 0) > self.longest_wait:
                raise self._blocked(retry_after or 0, reason)
            if self._pace.refusals >= BLOCK_AFTER:
                raise self._blocked(max(retry_after or 0, BLOCK_SECONDS), reason)

    def _blocked(self, seconds: float, reason: Reason) -> Blocked:
        """The block that ends the work on this host, also for the threads that wait for it."""
        self._block = Blocked(self.host, time.time() + seconds, reason)
        self._pace.paused_until = 0.0
        return self._block

    def pause(self, seconds: float | None) -> None:
        """Send nothing for so long; None for no pause."""
        with self._state:
            self._pace.pause(time.monotonic() + (seconds or 0.0))

    def has_refused_since(self, started: float) -> bool:
        """Whether a rejection was recorded after that time."""
        last = self.counters.last_rejection
        return last is not None and last >= started

    @property
    def refusals(self) -> int:
        """Rejections in a row, without an answer between them; a burst of them counts once."""
        return self._pace.refusals

    @property
    def waiting(self) -> float:
        """Seconds until the host's pause ends, 0 without one."""
        return max(0.0, self._pace.paused_until - time.monotonic())

    def describe(self) -> str:
        """The current and the allowed rate, or the time until the pause ends."""
        if self.waiting > 1:
            return f"{self.host}: waiting {self.waiting:.0f} s"
        allowed = "allowed" if self.controller.converged else "tried"
        return f"{self.host}: {self.counters.rate_now:.3g}/s of {self.controller.rate:.3g}/s {allowed}"


@dataclass(frozen=True)
class HostHistory:
    """A host as earlier crawls knew it: its rate (if it was searched for), the end of a block, one image."""

    rate: float | None = None
    converged: bool = False
    blocked_until: float | None = None
    image_url: str | None = None
