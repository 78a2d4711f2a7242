"""When the next request to a host is due: evenly spaced at its rate, or after a pause.

Requests are paced by the generic cell rate algorithm (ITU-T I.371), a token bucket in one number: the time
at which the next request is due. It is implemented here because pyrate-limiter counts in whole milliseconds
(too coarse for many requests a second) and has no clock on which all requests to a host wait together.
Times are of `time.monotonic`, in seconds. Not thread-safe: the caller holds the lock.
"""

import random

from scraper.http.request_rate import RequestRate

#: How far the schedule may catch up after a thread woke late: in requests, and in seconds for slow hosts.
CATCH_UP, CATCH_UP_SECONDS = 2, 0.05

#: Each wait after refusals in a row is so many times as long as the one before, and at most so long, seconds.
_REFUSAL_GROWTH, _LONGEST_BACKOFF_SECONDS = 4, 60.0


class Pace:
    """The schedule of one host's requests, and its backoff clock.

    `refusals` counts those in a row: no request that was sent since the first one was served. A burst of them
    counts once.
    """

    def __init__(self, rate: RequestRate, now: float):
        self.rate = rate
        self.due = now
        self.paused_until = 0.0
        self.refusals = 0
        self._last_sent = self._last_refusal = self._row_began = float("-inf")

    @property
    def ready(self) -> float:
        """When the next request may be sent."""
        return max(self.due, self.paused_until)

    def cap(self, rate: float) -> None:
        """Never exceed `rate` requests a second from now on, counted from the last request."""
        self.rate.cap(rate)
        self.due = max(self.due, self._last_sent + 1 / rate)

    def sent(self, now: float) -> None:
        """A request is sent, not before it is due.

        A limiter without burst refuses whatever comes too early. So nothing is caught up where the rate is
        unknown, or the host has refused a request.
        """
        self.rate.on_sent(now, was_on_time=now - self.ready < self.rate.interval)
        interval = self.rate.interval
        late = 0.0 if self.rate.searching else min(CATCH_UP * interval, CATCH_UP_SECONDS)
        self.due = max(self.due, now - late) + interval
        self._last_sent = now

    def succeeded(self, now: float, seconds: float) -> None:
        """A usable answer arrived, `seconds` after its request was sent."""
        if now - seconds >= self._row_began:
            self.refusals = 0
        self.rate.on_success(now, seconds)

    def refused(self, now: float, started: float, base: float) -> None:
        """The request sent at `started` was refused: wait, at first up to `base` seconds.

        Answers to requests that were sent before the last refusal arrived belong to the same burst. The waits
        grow fast: a limiter that counts in minutes refuses until its minute ends.
        """
        if started >= self._last_refusal:
            self._last_refusal = now
            self._row_began = self._row_began if self.refusals else now
            self.refusals += 1
            self.rate.on_rejected(now)
            self.back_off(now, base * _REFUSAL_GROWTH ** (self.refusals - 1))

    def back_off(self, now: float, longest: float) -> None:
        """Wait with equal jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.

        The waits of a row add up to more than a minute: many limiters count by the minute.
        """
        longest = min(longest, _LONGEST_BACKOFF_SECONDS)
        self.pause(now + random.uniform(longest / 2, longest))

    def pause(self, until: float) -> None:
        """Send nothing before that time."""
        self.paused_until = max(self.paused_until, until)
