"""What a host's refusals turned out to mean: too high a rate, or a broken URL.

A limiter refuses some requests and answers others, whatever status it uses. So a URL that is refused and is
served when it is asked for again a moment later was refused for our speed.
"""

from collections import Counter, deque

from scraper.http.reason import Reason
from scraper.tables import ReasonKind

#: Statuses that say "too many requests": 429 (RFC 6585), 420 and 430 (Twitter, Shopify).
TOO_MANY = {420, 429, 430}

#: Statuses by which servers shed load: 503 (nginx), 509 (cPanel), 529 (several CDNs).
_OVERLOADED = {503, 509, 529}

#: Any symptom means overload when so many of the last answers came only when they were asked for again. If
#: that is still so at this share of the rate, the host fails at random.
_RECENT, _SERVED_AGAIN, _IN_VAIN_SHARE = 20, 8, 0.25

#: Requests that in a row were in vain, after which a URL with that symptom is not asked again at once; but
#: one of so many still is where servers shed load so.
_IN_VAIN, _NOW_AND_THEN = 3, 10

#: How much longer each pause is than the one before that was in vain; for statuses that shed load.
_GROWTH, _SHEDDING_GROWTH = 2, 4

#: Failures that take long, or that the same connection would repeat, are not asked again at once.
_NOT_AT_ONCE = {ReasonKind.TIMEOUT, ReasonKind.NO_CONNECTION, ReasonKind.CERTIFICATE, ReasonKind.TLS}


class Symptoms:
    """The symptoms of one host, told apart by status or kind of failure. Not thread-safe."""

    def __init__(self) -> None:
        self._shedding: set[int | ReasonKind] = set()
        self._in_vain: Counter[int | ReasonKind] = Counter()
        self._passed_over: Counter[int | ReasonKind] = Counter()
        self._recent: deque[bool] = deque(maxlen=_RECENT)
        self._overloaded_at: float | None = None

    def means_overload(self, reason: Reason, rate: float) -> bool:
        """Whether the host refuses requests with this symptom because they are too many, at this rate."""
        symptom = _symptom(reason)
        if symptom in TOO_MANY or symptom in self._shedding:
            return True
        if sum(self._recent) < _SERVED_AGAIN:
            return False
        if self._overloaded_at is None:
            self._overloaded_at = rate
        return rate > self._overloaded_at * _IN_VAIN_SHARE

    def may_mean_overload(self, reason: Reason) -> bool:
        """Whether servers shed load with this symptom."""
        return _symptom(reason) in TOO_MANY | _OVERLOADED

    def next_asks_again(self, reason: Reason) -> bool:
        """Whether to ask for the next URL with this symptom again at once, to learn what it means."""
        symptom = _symptom(reason)
        if reason.kind in _NOT_AT_ONCE or self._in_vain[symptom] < _IN_VAIN:
            return reason.kind not in _NOT_AT_ONCE
        self._passed_over[symptom] += 1
        return self.may_mean_overload(reason) and self._passed_over[symptom] % _NOW_AND_THEN == 0

    def patience(self, reason: Reason) -> int:
        """A factor on the pause before asking again: a limiter may be far slower than the pause was."""
        symptom = _symptom(reason)
        growth = _SHEDDING_GROWTH if symptom in _OVERLOADED else _GROWTH
        return int(growth ** min(self._in_vain[symptom], _IN_VAIN - 1))

    def record_asked_again(self, reason: Reason, served: bool) -> None:
        """A URL with this symptom was asked for again, and was served or not."""
        symptom = _symptom(reason)
        self._in_vain[symptom] = 0 if served else self._in_vain[symptom] + 1
        if served:
            self._recent.append(True)
            if symptom in _OVERLOADED:
                self._shedding.add(symptom)

    def record_success(self) -> None:
        """A URL was served the first time."""
        self._recent.append(False)


def _symptom(reason: Reason) -> int | ReasonKind:
    return reason.http_status or reason.kind
