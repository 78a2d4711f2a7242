"""What a host's refusals turned out to mean: too high a rate, or a broken URL.

A limiter refuses some requests and answers others, whatever status it uses. So a URL that is refused and is
served when it is asked for again a moment later was refused for our speed.
"""

from collections import deque

from scraper.http.reason import Reason
from scraper.tables import ReasonKind

#: Statuses that say "too many requests": 429 (RFC 6585), 420 and 430 (Twitter, Shopify).
TOO_MANY = {420, 429, 430}

#: Statuses by which servers shed load: 503 (nginx), 509 (cPanel), 529 (several CDNs).
_OVERLOADED = {503, 509, 529}

#: Any symptom means overload when so many of the last answers came only when they were asked for again. If
#: that is still so at this share of the rate, the host fails at random.
_RECENT, _SERVED_AGAIN, _IN_VAIN_SHARE = 20, 8, 0.25

#: Requests that in a row were in vain, after which a URL with that symptom is not asked again at once.
_IN_VAIN = 3

#: How much longer each pause is than the one before that was in vain.
_GROWTH = 4

#: Failures that take long, or that the same connection would repeat, are not asked again at once.
_NOT_AT_ONCE = {ReasonKind.TIMEOUT, ReasonKind.NO_CONNECTION, ReasonKind.CERTIFICATE, ReasonKind.TLS}


class Symptoms:
    """The symptoms of one host, told apart by status or kind of failure. Not thread-safe."""

    def __init__(self) -> None:
        self._shedding: set[int | ReasonKind] = set()
        self._in_vain: dict[int | ReasonKind, int] = {}
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

    def worth_asking_again(self, reason: Reason) -> bool:
        """Whether to ask for the URL again at once, to learn what the symptom means."""
        return reason.kind not in _NOT_AT_ONCE and self._in_vain.get(_symptom(reason), 0) < _IN_VAIN

    def patience(self, reason: Reason) -> int:
        """A factor on the pause before asking again: a limiter may be far slower than the pause was."""
        symptom = _symptom(reason)
        return _GROWTH ** self._in_vain.get(symptom, 0) if symptom in _OVERLOADED else 1

    def may_mean_overload(self, reason: Reason) -> bool:
        """Whether servers shed load with this symptom."""
        return _symptom(reason) in _OVERLOADED

    def record_overload(self, reason: Reason) -> None:
        """The host refused everything for a while with this symptom."""
        self._shedding.add(_symptom(reason))

    def record_asked_again(self, reason: Reason, served: bool) -> None:
        """A URL with this symptom was asked for again, and was served or not."""
        symptom = _symptom(reason)
        self._in_vain[symptom] = 0 if served else self._in_vain.get(symptom, 0) + 1
        if served:
            self._recent.append(True)
            if symptom in _OVERLOADED:
                self._shedding.add(symptom)

    def record_success(self) -> None:
        """A URL was served the first time."""
        self._recent.append(False)


def _symptom(reason: Reason) -> int | ReasonKind:
    return reason.http_status or reason.kind
