"""A rate that is found by trying, against limiters of several kinds, in simulated time."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from scraper.http.request_rate import FIRST_RATE, KnownPace, PaceSearch

LATENCY = 0.005


class TokenBucket:
    def __init__(self, rate: float, burst: float):
        self.rate, self.burst, self.tokens, self.at = rate, burst, burst, 0.0

    def __call__(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + self.rate * (now - self.at))
        self.at = now
        allowed = self.tokens >= 1
        self.tokens -= allowed
        return allowed


class Window:
    def __init__(self, rate: float, seconds: float):
        self.most, self.seconds, self.window, self.count = rate * seconds, seconds, -1, 0

    def __call__(self, now: float) -> bool:
        if int(now / self.seconds) != self.window:
            self.window, self.count = int(now / self.seconds), 0
        self.count += 1
        return self.count <= self.most


@dataclass
class Log:
    served: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def held(self, start: float, end: float) -> float:
        """Requests served a second."""
        return sum(start <= at < end for at in self.served) / (end - start)

    def refused_share(self, start: float, end: float) -> float:
        refused, served = (sum(start <= at < end for at in times) for times in (self.refused, self.served))
        return refused / max(1, refused + served)


def ask(
    pace: PaceSearch | KnownPace, limiter: Callable[[float], bool], seconds: float, retry_after: float = 1.0
) -> Log:
    """One request after the other, as the governor lets them go; each refusal is followed by a pause."""
    log, now, noise = Log(), 0.0, random.Random(1)
    while now < seconds:
        pace.granted(now, punctual=True)
        interval = 1 / pace.rate
        if limiter(now):
            log.served.append(now)
            pace.answered()
        else:
            log.refused.append(now)
            pace.refused(now + LATENCY)
            now += retry_after + noise.uniform(0, 2)
        now += max(interval, LATENCY)
    return log


@pytest.mark.parametrize("rate", [5, 20, 100])
@pytest.mark.parametrize("kind", ["small bucket", "large bucket", "window"])
def test_the_rate_is_found_and_kept(rate: float, kind: str) -> None:
    limiter: Callable[[float], bool] = {
        "small bucket": lambda: TokenBucket(rate, rate),
        "large bucket": lambda: TokenBucket(rate, 2 * rate),
        "window": lambda: Window(rate, 10.0),
    }[kind]()
    pace = PaceSearch()
    log = ask(pace, limiter, 420)
    assert pace.settled
    assert 0.9 * rate <= pace.rate <= 1.01 * rate
    assert log.held(240, 420) >= (0.88 if kind == "window" else 0.93) * rate
    assert log.refused_share(0, 420) <= 0.01


def test_a_limiter_without_any_burst_is_not_asked_too_fast_for_long() -> None:
    log = ask(PaceSearch(), TokenBucket(10, 1), 600)
    assert log.refused_share(60, 600) <= 0.01 and log.held(60, 600) >= 5


def test_a_rate_below_the_first_one_is_found() -> None:
    pace = PaceSearch()
    log = ask(pace, TokenBucket(FIRST_RATE / 4, 2), 1200)
    assert log.held(600, 1200) == pytest.approx(FIRST_RATE / 4, rel=0.2)
    assert log.refused_share(600, 1200) < 0.05


def test_what_was_found_is_where_the_next_crawl_begins() -> None:
    log = ask(PaceSearch(19.8, settled=True), TokenBucket(20, 20), 120)
    assert not log.refused and log.held(0, 120) >= 0.97 * 20


def test_a_limit_that_was_lowered_is_found_again() -> None:
    pace = PaceSearch(19.8, settled=True)
    log = ask(pace, TokenBucket(8, 8), 600)
    assert log.held(300, 600) >= 0.9 * 8 and pace.rate <= 8.1


def test_a_long_pause_does_not_count_as_slowness() -> None:
    pace = PaceSearch()
    ask(pace, TokenBucket(20, 20), 900, retry_after=60.0)
    assert pace.rate >= 0.9 * 20


def test_a_host_that_is_slow_by_itself_is_not_pushed() -> None:
    pace = PaceSearch()
    for second in range(100):
        pace.granted(float(second), punctual=False)
        pace.answered()
    assert pace.rate == FIRST_RATE


def test_a_crawl_delay_is_a_limit_of_the_search_too() -> None:
    pace = PaceSearch()
    pace.cap(0.5)
    ask(pace, TokenBucket(100, 100), 60)
    assert pace.rate == 0.5


def test_a_known_rate_is_won_back_and_never_exceeded() -> None:
    pace = KnownPace(100)
    pace.refused(0.0)
    assert pace.rate == 50
    for _ in range(200):
        pace.answered()
    assert pace.rate == 100
