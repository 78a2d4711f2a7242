"""How many requests a second one host is asked: a rate that is known, or one that is found by trying.

Times are of `time.monotonic`, rates in requests a second. Not thread-safe: the governor locks.
"""

from dataclasses import dataclass
from typing import Protocol

#: The known rate is halved when the host turns us away, and won back over so many good answers.
_SLOWDOWN, _WIN_BACK_ANSWERS, _SLOWEST_SHARE = 0.5, 100, 0.01

#: Where the search begins, and how much faster it gets each second until it is first turned away.
FIRST_RATE, _FIRST_STEP, _FIRST_STEP_SHARE = 1.0, 0.5, 0.1

#: What is left of the pace when it is turned away for the first time, and at least at any other time.
_DECREASE = 0.5

#: What is left of a refused pace when about as much was let through.
_JUST_BELOW = 0.99

#: How long it takes from there back to the pace that was refused, seconds.
_RETURN_SECONDS = 60.0

#: Of a pause so much counts as time in which the host's bucket was refilled, seconds: buckets are small.
_REFILL_SECONDS = 2.0

#: The search is over when the pace that was refused is within this factor of what was let through.
_CLOSE = 1.15


class Pace(Protocol):
    """What the governor asks: `rate` is the pace now, `settled` whether it is the most the host allows."""

    @property
    def rate(self) -> float: ...

    @property
    def settled(self) -> bool: ...

    def cap(self, rate: float) -> None:
        """Never exceed `rate` from now on."""

    def granted(self, now: float, punctual: bool) -> None:
        """A request was let go; `punctual`: the pace held it back, not the host's slowness or ours."""

    def answered(self) -> None:
        """A request was answered well."""

    def refused(self, now: float) -> None:
        """The host turned us away; a burst of refusals counts once."""


@dataclass
class KnownPace:
    """Keep to an allowed rate; slow down for a while when it is refused all the same."""

    allowed: float

    def __post_init__(self) -> None:
        self.rate = self.allowed
        self.settled = True

    def cap(self, rate: float) -> None:
        """See Pace."""
        self.allowed = min(self.allowed, rate)
        self.rate = min(self.rate, self.allowed)

    def granted(self, now: float, punctual: bool) -> None:
        """See Pace."""

    def answered(self) -> None:
        """See Pace."""
        self.rate = min(self.allowed, self.rate + self.allowed / _WIN_BACK_ANSWERS)

    def refused(self, now: float) -> None:
        """See Pace."""
        self.rate = max(self.rate * _SLOWDOWN, self.allowed * _SLOWEST_SHARE)


@dataclass
class PaceSearch:
    """Find the rate that a host allows: additive increase, multiplicative decrease, settle just below.

    Between two refusals a token bucket lets through what it refills, no more. So what was let through in that
    time is a rate that the host allows, the pace that was refused is one it does not, and when they are close
    the search is over. A later refusal begins it again from what was let through by then.
    """

    rate: float = FIRST_RATE
    settled: bool = False

    def __post_init__(self) -> None:
        self._most = float("inf")
        self._step: float | None = None  # once it was refused
        self._refused_at: float | None = None
        self._granted_at: float | None = None
        self._since = 0.0
        self._answered = 0

    def cap(self, rate: float) -> None:
        """See Pace."""
        self._most = min(self._most, rate)
        self.rate = min(self.rate, self._most)

    def granted(self, now: float, punctual: bool) -> None:
        """See Pace."""
        if punctual and not self.settled and self._granted_at is not None:
            step = self._step or max(_FIRST_STEP, _FIRST_STEP_SHARE * self.rate)
            self.rate = min(self._most, self.rate + step * min(now - self._granted_at, 1.0))
        if self._refused_at is not None and (self._granted_at or 0.0) <= self._refused_at:
            self._since = max(self._refused_at, now - _REFILL_SECONDS)
        self._granted_at = now

    def answered(self) -> None:
        """See Pace."""
        self._answered += 1

    def refused(self, now: float) -> None:
        """See Pace."""
        refused = self.rate
        if self._refused_at is None:
            self.rate = refused * _DECREASE
        else:
            let_through = self._answered / max(now - self._since, 1e-3)
            self.rate = min(max(let_through, refused * _DECREASE), refused * _JUST_BELOW)
            self.settled = refused <= let_through * _CLOSE
        self._step = (refused - self.rate) / _RETURN_SECONDS
        self._refused_at, self._answered = now, 0
