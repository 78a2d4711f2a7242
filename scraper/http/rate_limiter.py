"""How fast a host may be asked: one object a host, shared by all threads that talk to it.

Requests are paced by the generic cell rate algorithm (ITU-T I.371), a token bucket in one number: the time
at which the next request is due. It is written out here since pyrate-limiter counts in whole milliseconds
(too coarse for many requests a second) and has no clock on which all requests of a host wait together.
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

from scraper.http.request_rate import Pace

#: Share of the allowed rate that is asked for: a limiter that counts in windows sees up to one request more.
PACE = 0.98

#: How far the schedule may catch up after a thread woke late: in requests, and in seconds for slow hosts.
CATCH_UP, CATCH_UP_SECONDS = 2, 0.05

#: Times in a row that a host turns us away, nothing else getting through, before it counts as a block.
BLOCK_AFTER = 6

#: How long a block lasts that the host gives no time for, seconds.
BLOCK_SECONDS = 3600.0

#: Faults in a row, nothing else getting through, after which a host counts as down, and for how many seconds.
DOWN_AFTER, DOWN_SECONDS = 12, 600.0

_RECENT = 51
_LONGEST_LOOK_SECONDS = 3600.0
_LONGEST_SECONDS = 10 * 365 * 86400.0

_TURNED_AWAY_SECONDS, _FAULT_SECONDS, _LONGEST_BACKOFF_SECONDS = 1.0, 0.125, 60.0


class Stopped(Exception):
    """The crawl is ending: a thread that waits for its turn gives up."""


class Blocked(Exception):
    """The host turns the crawler away for longer than it is willing to wait."""

    def __init__(self, host: str, until: float, reason: str):
        super().__init__(f"{host} blocked us ({reason})")
        self.host, self.until, self.reason = host, until, reason


@dataclass
class Counters:
    """What one host was asked and how it answered; seconds are of `time.monotonic`."""

    requests: int = 0
    turned_away: int = 0
    faults: int = 0
    waited: float = 0.0
    first: float | None = None
    last: float | None = None
    last_turned_away: float | None = None
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))

    @property
    def rate(self) -> float:
        """Requests a second between the first and the last."""
        if self.first is None or self.last is None or self.last <= self.first:
            return 0.0
        return (self.requests - 1) / (self.last - self.first)

    @property
    def rate_now(self) -> float:
        """Requests a second of late: over the last 50, and over the time since when none are sent."""
        times = list(self.recent)
        return (len(times) - 1) / max(time.monotonic() - times[0], 1e-9) if len(times) > 1 else 0.0


@dataclass
class Governor:
    """Token bucket, concurrency, backoff clock, Crawl-delay and block state of one host. Thread-safe.

    `blocked_until` is the wall clock time at which a known block ends.
    """

    host: str
    pace: Pace
    concurrency: int
    stop: threading.Event
    longest_wait: float = 900.0
    blocked_until: float | None = None
    counters: Counters = field(default_factory=Counters)

    def __post_init__(self) -> None:
        self._places = threading.BoundedSemaphore(self.concurrency)
        self._turn = threading.Lock()
        self._state = threading.Lock()
        self._due = time.monotonic()
        self._paused_until = 0.0
        self._away_since_success = 0
        self._faults_since_success = 0
        self._last_away = self._last_fault = float("-inf")
        if self.blocked_until is not None:
            self._paused_until = time.monotonic() + self.blocked_until - time.time()

    def set_crawl_delay(self, seconds: float) -> None:
        """Never ask faster than once in `seconds`. Raises Blocked when nobody can wait that long."""
        if seconds > self.longest_wait:
            raise Blocked(self.host, time.time() + min(seconds, _LONGEST_SECONDS), "Crawl-delay")
        with self._state:
            if seconds > 0:
                self.pace.cap(1 / seconds)
                self._due = max(self._due, (self.counters.last or float("-inf")) + seconds)

    @contextmanager
    def turn(self) -> Iterator[float]:
        """Wait for this thread's turn and hold one of the host's places; yields the time of the request.

        Raises Stopped when the crawl ends first.
        """
        with self._places:
            with self._turn:  # one thread waits for the next due time, the others for that thread
                started = self._wait()
            yield started

    def _wait(self) -> float:
        while True:
            now = time.monotonic()
            with self._state:
                paused, ready = self._paused_until, max(self._due, self._paused_until)
                if ready <= now and not self.stop.is_set():
                    interval = 1 / (self.pace.rate * PACE)
                    self.pace.granted(now, punctual=now - ready < interval)
                    self._due = max(self._due, now - min(CATCH_UP * interval, CATCH_UP_SECONDS)) + interval
                    counters = self.counters
                    counters.requests += 1
                    counters.first = now if counters.first is None else counters.first
                    counters.last = now
                    counters.recent.append(now)
                    return now
            if self.stop.wait(min(max(ready - now, 0), _LONGEST_LOOK_SECONDS)):
                raise Stopped
            if paused > now:
                self.counters.waited += time.monotonic() - now

    def succeeded(self) -> None:
        """The host gave a usable answer: forget earlier trouble."""
        with self._state:
            self._away_since_success = self._faults_since_success = 0
            self.pace.answered()

    def faulted(self, started: float, reason: str, retry_after: float | None) -> None:
        """No usable answer to the request of `started`: a 5xx, a broken connection.

        One fault between good answers is about its URL alone, and so is its Retry-After; faults in a row are
        about the host: all wait, and 5xx are taken for too high a rate too. Raises Blocked when they ask for
        too long a wait or the host is down.
        """
        with self._state:
            self.counters.faults += 1
            if started >= self._last_fault:
                self._last_fault = time.monotonic()
                self._faults_since_success += 1
                if self._faults_since_success > 1:
                    self._back_off(_FAULT_SECONDS, self._faults_since_success)
                    self._paused_until = max(self._paused_until, time.monotonic() + (retry_after or 0))
                    if reason.startswith("HTTP 5"):
                        self.pace.refused(time.monotonic())
                    if (retry_after or 0) > self.longest_wait or self._faults_since_success >= DOWN_AFTER:
                        raise Blocked(self.host, time.time() + max(retry_after or 0, DOWN_SECONDS), reason)

    def turned_away(self, started: float, reason: str, retry_after: float | None) -> None:
        """The host asked us to go away (429, or 403 whatever we ask): all wait, never less than asked.

        Answers to requests sent before the last such answer came are part of the same burst and count once.
        Raises Blocked after a row of them, or when the wait asked for is too long.
        """
        with self._state:
            now = time.monotonic()
            self.counters.turned_away += 1
            self.counters.last_turned_away = now
            if retry_after is not None:
                self._paused_until = max(self._paused_until, now + retry_after)
            if started >= self._last_away:
                self._last_away = now
                self._away_since_success += 1
                self.pace.refused(now)
                self._back_off(_TURNED_AWAY_SECONDS, self._away_since_success)
            if (retry_after or 0) > self.longest_wait:
                raise Blocked(self.host, time.time() + (retry_after or 0), reason)
            if self._away_since_success >= BLOCK_AFTER:
                raise Blocked(self.host, time.time() + max(retry_after or 0, BLOCK_SECONDS), reason)

    @property
    def waiting(self) -> float:
        """Seconds that everyone still waits for the host's sake, 0 for none."""
        return max(0.0, self._paused_until - time.monotonic())

    def describe(self) -> str:
        """The rate now and the rate allowed, or how long everyone waits."""
        if self.waiting > 1:
            return f"{self.host}: waiting {self.waiting:.0f} s"
        allowed = "allowed" if self.pace.settled else "tried"
        return f"{self.host}: {self.counters.rate_now:.3g}/s of {self.pace.rate:.3g}/s {allowed}"

    def _back_off(self, base: float, times: int) -> None:
        # Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        longest = min(base * 2**times, _LONGEST_BACKOFF_SECONDS)
        self._paused_until = max(self._paused_until, time.monotonic() + random.uniform(0, longest))


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds to wait by a `Retry-After` header (RFC 9110 10.2.3): a number of seconds or an HTTP date.

    None for no header, one that cannot be read, zero and a date that has passed: they are no instruction.
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
class HostMemory:
    """What earlier crawls found out about a host: its rate (if it was searched for) and a block's end."""

    rate: float | None = None
    settled: bool = False
    blocked_until: float | None = None
