"""How many requests a second to send to one host: those of its site file, or as many as it allows.

Times are of `time.monotonic`, rates in requests a second. Not thread-safe: the caller holds the lock.
"""

import math
from collections import deque

from scraper.http.answer_times import SlowdownTest

#: The rate at which a search starts.
FIRST_RATE = 1.0

#: Share of the rate that is used: a limiter that counts in windows sees up to one request more.
RATE_SHARE = 0.98

#: Growth of the rate each second before the first refusal: at least so much, and this share of it.
_FIRST_STEP, _FIRST_GROWTH = 0.5, 0.1

#: Growth each second, or each request of a slow host, as a share of the rate: after a refusal, and converged.
_SEARCH_GROWTH, _CONVERGED_GROWTH = 2e-3, 2e-4

#: Factor on the rate at which the host first refused a search; the smallest one after any later refusal.
_FIRST_DECREASE, _DECREASE = 0.75, 0.5

#: The rate returns to just below a refused rate; the time constant is in seconds, for fast hosts in requests.
_JUST_BELOW, _RETURN_SECONDS, _RETURN_REQUESTS = 0.97, 10.0, 200

#: The time over which the rate that gets through is measured, seconds; for slow hosts, so many requests.
_WINDOW_SECONDS, _WINDOW_REQUESTS = 15.0, 30

#: At most this much of a pause counts as time to refill the host's bucket, seconds: buckets are small.
_REFILL_SECONDS = 2.0

#: The search has converged when the refused rate is within this factor of the rate that got through.
_CLOSE = 1.15

#: A converged rate falls by the share of refused requests times this, and at least by this share.
_PER_REFUSED_SHARE, _LEAST_DECREASE = 3.0, 0.005

#: Requests from which the rate that got through, and the share of refused requests, can be told.
_FEW, _ENOUGH = 50, 200

#: A converged rate returns to this share of the highest of so many refused ones.
_RETURN_SHARE, _REMEMBERED = 0.99, 5

#: Factor on a rate that makes the host slow.
_STEP_BACK = 0.85


class RequestRate:
    """The `rate` at which to send; `converged`: it is the highest that the host, or the site's file, allows.

    An unknown rate grows until the host refuses, its answers take half as long again as at the start, or the
    ceiling is reached. Between two refusals a token bucket lets through exactly what it refills. So the rate
    that got through in that time is allowed, and the refused rate is not. When the two are close, the search
    has converged. From then on the share of refused requests decides how much the rate falls: a rate that is
    a little too high for the jitter of the network costs few of them. What follows a refusal is the same for
    a known rate, which is the ceiling.
    """

    def __init__(self, rate: float, ceiling: float, *, converged: bool, known: bool):
        self.rate, self.ceiling, self.converged = min(rate, ceiling), ceiling, converged
        self.refused = False
        self._known = known
        self._climbs = not converged
        self._slowdown = SlowdownTest()
        self._target = self.rate
        self._sent_at: float | None = None
        #: The first and the last refusal of the last ones without an answer between them.
        self._row = (0.0, 0.0)
        #: The refusal before the last one, if they are of one row and nothing contradicts that.
        self._before = math.inf
        self._since = 0.0
        self._served: deque[float] = deque()
        self._refused_rates: deque[float] = deque(maxlen=_REMEMBERED)
        self._count = 0

    @classmethod
    def known(cls, allowed: float, found: float | None = None) -> "RequestRate":
        """The rate of a site's file. `found`: one that got through in an earlier crawl, tried first."""
        rate = cls(found or allowed, allowed, converged=True, known=True)
        rate._target, rate.refused = allowed, rate.rate < allowed
        return rate

    @classmethod
    def unknown(cls, most: float, found: float | None = None, converged: bool = False) -> "RequestRate":
        """A rate to find, up to `most`; `found` by an earlier crawl, whose search may have converged."""
        return cls(found or FIRST_RATE, most, converged=converged, known=False)

    @property
    def interval(self) -> float:
        """Seconds from one request to the next."""
        return 1 / (self.rate * RATE_SHARE)

    @property
    def searching(self) -> bool:
        """The rate is found by probing, so it is worth keeping for the next crawl."""
        return self.refused or not self._known

    def cap(self, rate: float) -> None:
        """Never exceed `rate` from now on."""
        self.ceiling = min(self.ceiling, rate)
        self.rate = min(self.rate, self.ceiling)

    def on_sent(self, now: float, was_on_time: bool) -> None:
        """A request was sent; `was_on_time`: only the rate delayed it, not a slow host or a slow client."""
        if self._sent_at is not None and was_on_time:
            self.rate = min(self.ceiling, self._grown(min(now - self._sent_at, 1.0)))
        if (self._sent_at or 0.0) <= self._row[1]:
            closed = self._row[1] - self._row[0]
            self._since = max(self._row[1], now - _REFILL_SECONDS) - closed
        self._sent_at = now

    def _grown(self, seconds: float) -> float:
        if self._climbs:
            step = max(_FIRST_STEP, _FIRST_GROWTH * self.rate)
            return self.rate + (0.0 if self._slowdown.doubtful else step * seconds)
        missing = max(0.0, min(self._target, self.ceiling) - self.rate)
        growth = (_CONVERGED_GROWTH if self.converged else _SEARCH_GROWTH) * min(self.rate, 1.0)
        grown = self.rate * (1 + growth * seconds) if self.refused else self.rate
        return grown + missing * -math.expm1(-seconds / min(_RETURN_SECONDS, _RETURN_REQUESTS / self.rate))

    def on_success(self, now: float, seconds: float) -> None:
        """The host sent a usable answer, which took that long."""
        sent = now - seconds
        if sent < self._row[1]:
            # The host serves some requests while it refuses others: too many are in flight at a time.
            if sent >= self._before:
                self._before = math.inf
                self._climbs = self.converged = False
                self.rate = self._target = self.rate * _DECREASE
            return
        self._count += 1
        self._served.append(now)
        while self._served[0] < now - self._window:
            self._served.popleft()
        if self._climbs:
            self._slowdown.add(seconds)
            if self._slowdown.slowed:
                self.rate *= _STEP_BACK
                self.converged, self._climbs, self._target = True, False, self.rate

    def on_rejected(self, now: float) -> None:
        """The host refused us; the caller reports a burst of refusals once.

        Further ones without an answer between them say that the pause was too short, not the rate too high.
        """
        first = self._count > 0 or not self.refused
        self.refused = True
        if self._count:
            self._decrease(self._let_through(now) / RATE_SHARE)
        self._before = math.inf if first else self._row[1]
        self._row = (now if first else self._row[0], now)
        self._count = 0
        self._served.clear()

    def _decrease(self, let_through: float) -> None:
        refused = self.rate
        close = refused <= let_through * _CLOSE
        if self._climbs:
            self.rate, self._target, self._climbs = refused * _FIRST_DECREASE, refused * _JUST_BELOW, False
        elif close and self._count >= _ENOUGH:
            decrease = max(_PER_REFUSED_SHARE / self._count, _LEAST_DECREASE)
            self._refused_rates.append(refused)
            self.rate = refused * (1 - decrease)
            self._target = max(self._refused_rates) * _RETURN_SHARE
            self.converged = True
        else:
            self._refused_rates.clear()
            self.rate = min(max(let_through, refused * _DECREASE), refused * _JUST_BELOW)
            measured = (self.rate + refused) / 2 if self._count >= _FEW else refused * _JUST_BELOW
            self._target = self.rate if close else measured
            self.converged = close

    @property
    def _window(self) -> float:
        return max(_WINDOW_SECONDS, _WINDOW_REQUESTS / self.rate)

    def _let_through(self, now: float) -> float:
        closed = self._row[1] - self._row[0]
        if closed > _REFILL_SECONDS:
            return self._count / max(now - self._since, 1e-3)
        start = max(self._since, now - self._window)
        return sum(at >= start for at in self._served) / max(now - start, 1e-3)
