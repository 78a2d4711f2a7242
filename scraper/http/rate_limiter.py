"""Rate limit, backoff and blocks of a host: one object per host, shared by all threads that talk to it.

Requests are paced by the generic cell rate algorithm (ITU-T I.371), a token bucket in one number: the time
at which the next request is due. It is implemented here because pyrate-limiter counts in whole milliseconds
(too coarse for many requests a second) and has no clock on which all requests to a host wait together.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from statistics import median

from scraper.http.errors import Blocked, Stopped
from scraper.http.reason import Reason
from scraper.http.request_rate import RateController
from scraper.tables import ReasonKind

#: Share of the allowed rate that is used: a limiter that counts in windows sees up to one request more.
RATE_SHARE = 0.98

#: How far the schedule may catch up after a thread woke late: in requests, and in seconds for slow hosts.
CATCH_UP, CATCH_UP_SECONDS = 2, 0.05

#: Rejections in a row, without a successful response between them, that count as a block.
BLOCK_AFTER = 6

#: Length of a block for which the host gives no time, seconds.
BLOCK_SECONDS = 3600.0

#: Failures of a host in a row, without a successful response between them, after which it is down; seconds.
DOWN_AFTER, DOWN_SECONDS = 12, 600.0

_RECENT = 51
_LONGEST_SLEEP_SECONDS = 3600.0
_LONGEST_SECONDS = 10 * 365 * 86400.0

_REJECTION_SECONDS, _FAILURE_SECONDS, _LONGEST_BACKOFF_SECONDS = 1.0, 0.125, 60.0


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
    """Token bucket, concurrency, backoff clock, Crawl-delay and block state of one host. Thread-safe.

    `blocked_until` is the wall clock time at which a known block ends.
    """

    host: str
    controller: RateController
    concurrency: int
    stop: threading.Event
    longest_wait: float = 900.0
    blocked_until: float | None = None
    counters: Counters = field(default_factory=Counters)

    def __post_init__(self) -> None:
        self._slots = threading.BoundedSemaphore(self.concurrency)
        self._queue = threading.Lock()
        self._state = threading.Lock()
        self._due = time.monotonic()
        self._times: deque[float] = deque(maxlen=_RECENT)
        self._paused_until = 0.0
        self._rejections_since_success = 0
        self._failures_since_success = 0
        self._last_rejection = self._last_failure = float("-inf")
        if self.blocked_until is not None:
            self._paused_until = time.monotonic() + self.blocked_until - time.time()

    def set_crawl_delay(self, seconds: float) -> None:
        """Keep `seconds` between requests from now on. Raises Blocked if that exceeds `longest_wait`."""
        if seconds > self.longest_wait:
            reason = Reason(ReasonKind.CRAWL_DELAY, "Crawl-delay")
            raise Blocked(self.host, time.time() + min(seconds, _LONGEST_SECONDS), reason)
        with self._state:
            if seconds > 0:
                self.controller.cap(1 / seconds)
                self._due = max(self._due, (self.counters.last or float("-inf")) + seconds)

    @contextmanager
    def acquire(self) -> Iterator[float]:
        """Wait until a request is due and hold one of the host's slots; yields the time of the request.

        Raises Stopped when the crawl ends first.
        """
        with self._slots:
            with self._queue:  # one thread waits for the next due time, the others wait for that thread
                started = self._wait()
            yield started

    def _wait(self) -> float:
        while True:
            now = time.monotonic()
            with self._state:
                paused, ready = self._paused_until, max(self._due, self._paused_until)
                if ready <= now and not self.stop.is_set():
                    interval = 1 / (self.controller.rate * RATE_SHARE)
                    self.controller.on_sent(now, was_on_time=now - ready < interval)
                    self._due = max(self._due, now - min(CATCH_UP * interval, CATCH_UP_SECONDS)) + interval
                    counters = self.counters
                    counters.requests += 1
                    counters.first = now if counters.first is None else counters.first
                    counters.last = now
                    counters.recent.append(now)
                    return now
            if self.stop.wait(min(max(ready - now, 0), _LONGEST_SLEEP_SECONDS)):
                raise Stopped
            if paused > now:
                self.counters.waited += time.monotonic() - now

    def record_success(self, seconds: float) -> None:
        """The host sent a usable response: reset the counts of rejections and failures in a row."""
        with self._state:
            self._times.append(seconds)
            self._rejections_since_success = self._failures_since_success = 0
            self.controller.on_success()

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
            self._back_off(_FAILURE_SECONDS, self._failures_since_success)
            self._paused_until = max(self._paused_until, time.monotonic() + (retry_after or 0))
            if reason.is_server_error:
                self.controller.on_rejected(time.monotonic())
            if (retry_after or 0) > self.longest_wait or self._failures_since_success >= DOWN_AFTER:
                raise Blocked(self.host, time.time() + max(retry_after or 0, DOWN_SECONDS), reason)

    def record_rejection(self, started: float, reason: Reason, retry_after: float | None) -> None:
        """The host told us to go away (429, or 403 for every URL): all threads wait, at least `retry_after`.

        Responses to requests that were sent before the last rejection arrived belong to the same burst and
        count once. Raises Blocked after `BLOCK_AFTER` of them in a row, or when `retry_after` is too long.
        """
        with self._state:
            now = time.monotonic()
            self.counters.rejections += 1
            self.counters.last_rejection = now
            if retry_after is not None:
                self._paused_until = max(self._paused_until, now + retry_after)
            if started >= self._last_rejection:
                self._last_rejection = now
                self._rejections_since_success += 1
                self.controller.on_rejected(now)
                self._back_off(_REJECTION_SECONDS, self._rejections_since_success)
            if (retry_after or 0) > self.longest_wait:
                raise Blocked(self.host, time.time() + (retry_after or 0), reason)
            if self._rejections_since_success >= BLOCK_AFTER:
                raise Blocked(self.host, time.time() + max(retry_after or 0, BLOCK_SECONDS), reason)

    @property
    def typical_seconds(self) -> float | None:
        """The median time of the last answers; None before there are five."""
        with self._state:
            return median(self._times) if len(self._times) >= 5 else None

    @property
    def waiting(self) -> float:
        """Seconds until the host's pause ends, 0 without one."""
        return max(0.0, self._paused_until - time.monotonic())

    def describe(self) -> str:
        """The current and the allowed rate, or the time until the pause ends."""
        if self.waiting > 1:
            return f"{self.host}: waiting {self.waiting:.0f} s"
        allowed = "allowed" if self.controller.converged else "tried"
        return f"{self.host}: {self.counters.rate_now:.3g}/s of {self.controller.rate:.3g}/s {allowed}"

    def _back_off(self, base: float, times: int) -> None:
        # Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        longest = min(base * 2**times, _LONGEST_BACKOFF_SECONDS)
        self._paused_until = max(self._paused_until, time.monotonic() + random.uniform(0, longest))


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds to wait by a `Retry-After` header (RFC 9110 10.2.3): a number of seconds or an HTTP date.

    None if the header is missing or unreadable, zero, or a date in the past: these ask for no wait.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:12])
    else:
        try:
            date = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = (date - (now or datetime.now(UTC))).total_seconds()
    return min(seconds, _LONGEST_SECONDS) if seconds > 0 else None


@dataclass(frozen=True)
class HostHistory:
    """A host as earlier crawls knew it: its rate (if it was searched for) and the end of a block."""

    rate: float | None = None
    converged: bool = False
    blocked_until: float | None = None
