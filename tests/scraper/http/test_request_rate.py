"""Finding the allowed rate by probing limiters of several kinds, in simulated time."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from scraper.http.request_rate import FIRST_RATE, AdaptiveRate, FixedRate

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
    rejected: list[float] = field(default_factory=list)

    def held(self, start: float, end: float) -> float:
        """Requests served a second."""
        return sum(start <= at < end for at in self.served) / (end - start)

    def rejected_share(self, start: float, end: float) -> float:
        rejected, served = (sum(start <= at < end for at in times) for times in (self.rejected, self.served))
        return rejected / max(1, rejected + served)


def send(
    controller: AdaptiveRate | FixedRate,
    limiter: Callable[[float], bool],
    seconds: float,
    retry_after: float = 1.0,
) -> Log:
    """Send one request after the other at the controller's rate, pausing after each rejection."""
    log, now, noise = Log(), 0.0, random.Random(1)
    while now < seconds:
        controller.on_sent(now, was_on_time=True)
        interval = 1 / controller.rate
        if limiter(now):
            log.served.append(now)
            controller.on_success()
        else:
            log.rejected.append(now)
            controller.on_rejected(now + LATENCY)
            now += retry_after + noise.uniform(0, 2)
        now += max(interval, LATENCY)
    return log


@pytest.mark.parametrize("rate", [5, 20, 100])
@pytest.mark.parametrize("kind", ["small bucket", "large bucket", "window"])
def test_the_rate_is_found_and_held(rate: float, kind: str) -> None:
    limiter: Callable[[float], bool] = {
        "small bucket": lambda: TokenBucket(rate, rate),
        "large bucket": lambda: TokenBucket(rate, 2 * rate),
        "window": lambda: Window(rate, 10.0),
    }[kind]()
    controller = AdaptiveRate()
    log = send(controller, limiter, 420)
    assert controller.converged
    assert 0.9 * rate <= controller.rate <= 1.01 * rate
    assert log.held(240, 420) >= (0.88 if kind == "window" else 0.93) * rate
    assert log.rejected_share(0, 420) <= 0.01


def test_a_limiter_without_burst_is_not_overrun_for_long() -> None:
    log = send(AdaptiveRate(), TokenBucket(10, 1), 600)
    assert log.rejected_share(60, 600) <= 0.01 and log.held(60, 600) >= 5


def test_a_rate_below_the_first_one_is_found() -> None:
    controller = AdaptiveRate()
    log = send(controller, TokenBucket(FIRST_RATE / 4, 2), 1200)
    assert log.held(600, 1200) == pytest.approx(FIRST_RATE / 4, rel=0.2)
    assert log.rejected_share(600, 1200) < 0.05


def test_the_next_crawl_starts_at_the_rate_found() -> None:
    log = send(AdaptiveRate(19.8, converged=True), TokenBucket(20, 20), 120)
    assert not log.rejected and log.held(0, 120) >= 0.97 * 20


def test_a_lowered_limit_is_found_again() -> None:
    controller = AdaptiveRate(19.8, converged=True)
    log = send(controller, TokenBucket(8, 8), 600)
    assert log.held(300, 600) >= 0.9 * 8 and controller.rate <= 8.1


def test_a_long_pause_does_not_count_as_slowness() -> None:
    controller = AdaptiveRate()
    send(controller, TokenBucket(20, 20), 900, retry_after=60.0)
    assert controller.rate >= 0.9 * 20


def test_the_rate_of_a_slow_host_is_not_raised() -> None:
    controller = AdaptiveRate()
    for second in range(100):
        controller.on_sent(float(second), was_on_time=False)
        controller.on_success()
    assert controller.rate == FIRST_RATE


def test_a_crawl_delay_caps_the_search() -> None:
    controller = AdaptiveRate()
    controller.cap(0.5)
    send(controller, TokenBucket(100, 100), 60)
    assert controller.rate == 0.5


def test_a_fixed_rate_is_recovered_and_never_exceeded() -> None:
    controller = FixedRate(100)
    controller.on_rejected(0.0)
    assert controller.rate == 50
    for _ in range(200):
        controller.on_success()
    assert controller.rate == 100
