"""What a host's refusals turn out to mean: too high a rate, or a broken URL.

A limiter refuses some requests and answers others, whatever status it uses. So a URL that is refused and is
served when it is asked for again a moment later was refused for our speed; or the host fails now and then.
"""

from collections import Counter, deque
from collections.abc import Iterator
from itertools import islice

from scraper.http.reason import Reason
from scraper.tables import ReasonKind

#: Statuses that say "too many requests": 429 (RFC 6585), 420 and 430 (Twitter, Shopify).
TOO_MANY = {420, 429, 430}

#: Statuses by which servers shed load: 503 (nginx), 509 (cPanel), 529 (several CDNs).
_OVERLOADED = {503, 509, 529}

#: Answers whose shares count, and the last ones of them.
_ANSWERS, _LAST = 100, 20

#: A symptom is frequent from so many of the answers on, and of the last ones.
_FREQUENT, _FREQUENT_LAST = 5, 3

#: Statuses that shed load mean overload when so many of the answers came only when they were asked for again;
#: from so many of the last ones on, it is a limiter for sure.
_SHEDS, _SHEDS_LAST = 5, 4

#: Any symptom means overload when so many of the last answers came only when they were asked for again.
_SERVED_AGAIN_LAST = 8

#: If trouble goes on at this share of the rate, slowing down did not help: the host fails at random.
_IN_VAIN_SHARE = 0.25

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
        #: The symptoms of the last answers, and of the last URLs that were served when asked for again.
        self._trouble: deque[int | ReasonKind | None] = deque(maxlen=_ANSWERS)
        self._again: deque[int | ReasonKind | None] = deque(maxlen=_ANSWERS)
        self._overloaded_at: float | None = None

    def means_overload(self, reason: Reason, rate: float) -> bool:
        """Whether the host refuses requests with this symptom because they are too many, at this rate."""
        symptom = _symptom(reason)
        if symptom in TOO_MANY:
            return True
        sheds = symptom in self._shedding or (
            symptom in _OVERLOADED and sum(each in _OVERLOADED for each in self._again) >= _SHEDS
        )
        if not sheds and sum(each is not None for each in _last(self._again)) < _SERVED_AGAIN_LAST:
            return False
        if self._overloaded_at is None:
            self._overloaded_at = rate
        return rate > self._overloaded_at * _IN_VAIN_SHARE

    def may_mean_overload(self, reason: Reason) -> bool:
        """Whether servers shed load with this symptom."""
        return _symptom(reason) in TOO_MANY | _OVERLOADED

    def is_frequent(self, reason: Reason) -> bool:
        """Whether the symptom comes too often for the bad luck of single requests."""
        symptom = _symptom(reason)
        last = sum(each == symptom for each in _last(self._trouble))
        return self._trouble.count(symptom) >= _FREQUENT or last >= _FREQUENT_LAST

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

    def record_answer(self, reason: Reason | None) -> None:
        """The first answer to a URL, and what is wrong with it."""
        self._trouble.append(None if reason is None else _symptom(reason))
        if reason is None:
            self._again.append(None)

    def record_served_again(self, reason: Reason) -> None:
        """A URL with this symptom was asked for again, and was served."""
        symptom = _symptom(reason)
        self._in_vain[symptom] = 0
        self._again.append(symptom)
        if symptom in _OVERLOADED and sum(each == symptom for each in _last(self._again)) >= _SHEDS_LAST:
            self._shedding.add(symptom)

    def record_in_vain(self, reason: Reason) -> None:
        """A URL with this symptom was asked for again after a pause, and was not served."""
        self._in_vain[_symptom(reason)] += 1


def _last(answers: deque[int | ReasonKind | None]) -> Iterator[int | ReasonKind | None]:
    return islice(reversed(answers), _LAST)


def _symptom(reason: Reason) -> int | ReasonKind:
    return reason.http_status or reason.kind
