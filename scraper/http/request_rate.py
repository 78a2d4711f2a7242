"""How many requests a second to send to one host: a fixed rate, or one found by probing.

Times are of `time.monotonic`, rates in requests a second. Not thread-safe: the caller holds the lock.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

#: A fixed rate is halved after a rejection and recovered over 100 successful responses.
_SLOWDOWN, _RECOVERY_RESPONSES, _SLOWEST_SHARE = 0.5, 100, 0.01

#: The rate at which the search starts, and its increase each second until the first rejection.
FIRST_RATE, _FIRST_STEP, _FIRST_STEP_SHARE = 1.0, 0.5, 0.1

#: Factor on the rate after the first rejection, and the smallest factor after any later one.
_DECREASE = 0.5

#: Factor on a rejected rate when about as many requests got through.
_JUST_BELOW = 0.99

#: Time to climb back to the rejected rate, seconds.
_RETURN_SECONDS = 60.0

#: At most this much of a pause counts as time to refill the host's bucket, seconds: buckets are small.
_REFILL_SECONDS = 2.0

#: The search has converged when the rejected rate is within this factor of the rate that got through.
_CLOSE = 1.15


class RateController(Protocol):
    """`rate` is the current request rate; `converged`: it is the highest rate that the host allows.

    `searching`: the rate is found by probing, so it is worth keeping for the next crawl.
    """

    searching: ClassVar[bool]

    @property
    def rate(self) -> float: ...

    @property
    def converged(self) -> bool: ...

    def cap(self, rate: float) -> None:
        """Never exceed `rate` from now on."""

    def on_sent(self, now: float, was_on_time: bool) -> None:
        """A request was sent; `was_on_time`: only the rate delayed it, not a slow host or a slow client."""

    def on_success(self) -> None:
        """The host sent a usable response."""

    def on_rejected(self, now: float) -> None:
        """The host rejected us; the caller reports a burst of rejections once."""


@dataclass
class FixedRate:
    """Keep to an allowed rate; slow down for a while if the host rejects it anyway."""

    searching: ClassVar[bool] = False

    allowed: float

    def __post_init__(self) -> None:
        self.rate = self.allowed
        self.converged = True

    def cap(self, rate: float) -> None:
        """See RateController."""
        self.allowed = min(self.allowed, rate)
        self.rate = min(self.rate, self.allowed)

    def on_sent(self, now: float, was_on_time: bool) -> None:
        """See RateController."""

    def on_success(self) -> None:
        """See RateController."""
        self.rate = min(self.allowed, self.rate + self.allowed / _RECOVERY_RESPONSES)

    def on_rejected(self, now: float) -> None:
        """See RateController."""
        self.rate = max(self.rate * _SLOWDOWN, self.allowed * _SLOWEST_SHARE)


@dataclass
class AdaptiveRate:
    """Find the rate that a host allows: additive increase, multiplicative decrease, converging just below it.

    Between two rejections a token bucket lets through exactly what it refills. So the rate that got through
    in that time is allowed, and the rejected rate is not. When the two are close, the search has converged.
    A later rejection restarts it from the rate that got through by then.
    """

    searching: ClassVar[bool] = True

    rate: float = FIRST_RATE
    converged: bool = False

    def __post_init__(self) -> None:
        self._cap = float("inf")
        self._step: float | None = None  # set by the first rejection
        self._rejected_at: float | None = None
        self._sent_at: float | None = None
        self._since = 0.0
        self._successes = 0

    def cap(self, rate: float) -> None:
        """See RateController."""
        self._cap = min(self._cap, rate)
        self.rate = min(self.rate, self._cap)

    def on_sent(self, now: float, was_on_time: bool) -> None:
        """See RateController."""
        if was_on_time and not self.converged and self._sent_at is not None:
            step = self._step or max(_FIRST_STEP, _FIRST_STEP_SHARE * self.rate)
            self.rate = min(self._cap, self.rate + step * min(now - self._sent_at, 1.0))
        if self._rejected_at is not None and (self._sent_at or 0.0) <= self._rejected_at:
            self._since = max(self._rejected_at, now - _REFILL_SECONDS)
        self._sent_at = now

    def on_success(self) -> None:
        """See RateController."""
        self._successes += 1

    def on_rejected(self, now: float) -> None:
        """See RateController."""
        rejected = self.rate
        if self._rejected_at is None:
            self.rate = rejected * _DECREASE
        else:
            let_through = self._successes / max(now - self._since, 1e-3)
            self.rate = min(max(let_through, rejected * _DECREASE), rejected * _JUST_BELOW)
            self.converged = rejected <= let_through * _CLOSE
        self._step = (rejected - self.rate) / _RETURN_SECONDS
        self._rejected_at, self._successes = now, 0
