"""Finding the rate that a host allows, against limiters of several kinds, in simulated time."""

from collections.abc import Callable

import pytest

from scraper.http.rate_limiter import BLOCK_AFTER
from scraper.http.request_rate import FIRST_RATE, RequestRate
from tests.helpers.simulated_limits import (
    LeakyBucket,
    Limiter,
    Log,
    Network,
    SlidingWindow,
    TokenBucket,
    Window,
    crawl,
)

RATE = 10.0

LIMITERS: dict[str, Callable[[], Limiter]] = {
    "nginx, no burst": lambda: LeakyBucket(RATE, 0),
    "nginx, burst of 5": lambda: LeakyBucket(RATE, 5),
    "nginx, burst of 20": lambda: LeakyBucket(RATE, 20),
    "token bucket": lambda: TokenBucket(RATE, RATE),
    "window of a second": lambda: Window(RATE, 1.0),
    "window of ten seconds": lambda: Window(RATE, 10.0),
    "sliding window": lambda: SlidingWindow(RATE, 10.0),
}

RATES: dict[str, Callable[[], RequestRate]] = {
    "known": lambda: RequestRate.known(RATE),
    "twice too high": lambda: RequestRate.known(2 * RATE),
    "a little too high": lambda: RequestRate.known(1.3 * RATE),
    "unknown": lambda: RequestRate.unknown(100.0),
}

NEAR, FAR = Network(0.005, 0.0005, 0.0005), Network(0.3, 0.01, 0.005)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("limiter", LIMITERS)
def test_the_allowed_rate_is_used_and_hardly_exceeded(limiter: str, rate: str) -> None:
    log = crawl(RATES[rate](), LIMITERS[limiter](), 200, NEAR)
    assert log.held(60, 200) >= 0.85 * RATE
    assert log.refused_share(0, 200) <= 0.01
    assert log.longest_row < BLOCK_AFTER


@pytest.mark.parametrize("rate", ["known", "twice too high", "unknown"])
@pytest.mark.parametrize("limiter", ["nginx, no burst", "nginx, burst of 5", "window of ten seconds"])
def test_a_far_host_with_requests_in_flight(limiter: str, rate: str) -> None:
    """Four requests are on their way when the first of them is refused, and arrive up to 30 ms late."""
    log = crawl(RATES[rate](), LIMITERS[limiter](), 200, FAR)
    assert log.held(60, 200) >= 0.55 * RATE
    assert log.refused_share(0, 200) <= 0.03
    assert log.longest_row < BLOCK_AFTER


def test_a_right_rate_loses_little_to_a_limiter_without_burst() -> None:
    log = crawl(RequestRate.known(RATE), LeakyBucket(RATE, 0), 600, NEAR)
    assert log.held(0, 600) >= 0.93 * RATE and log.refused_share(0, 600) <= 0.002


def test_requests_that_stall_do_not_wear_the_rate_down() -> None:
    """One of 300 requests comes so late that the next one is refused, whatever the rate."""
    rate = RequestRate.known(RATE)
    log = crawl(rate, LeakyBucket(RATE, 0), 1800, Network(0.02, 0.0005, 0.0005, stall=1 / 300))
    assert log.held(1200, 1800) >= 0.85 * RATE and log.refused_share(0, 1800) <= 0.005


def test_a_right_rate_is_used_up() -> None:
    log = crawl(RequestRate.known(RATE), TokenBucket(RATE, RATE), 120, NEAR)
    assert not log.refused and log.held(0, 120) >= 0.97 * RATE


@pytest.mark.parametrize("allowed", [0.25, 1.0, 100.0])
@pytest.mark.parametrize("known", [True, False])
def test_slow_and_fast_limits(allowed: float, known: bool) -> None:
    rate = RequestRate.known(1.5 * allowed) if known else RequestRate.unknown(1000.0)
    log = crawl(rate, TokenBucket(allowed, max(1.0, allowed)), 1200 if allowed <= 1 else 120, NEAR)
    assert log.held(60, len(log.served) / allowed) >= 0.85 * allowed
    assert log.refused_share(60, 1200) <= 0.025


def test_the_known_rate_is_never_exceeded() -> None:
    rate = RequestRate.known(RATE)
    log = crawl(rate, LeakyBucket(2 * RATE, 0), 60, NEAR)
    assert rate.rate == RATE and log.held(0, 60) <= RATE


def test_an_unknown_host_is_never_asked_faster_than_the_most() -> None:
    rate = RequestRate.unknown(5.0)
    log = crawl(rate, Window(1000, 1), 60, NEAR)
    assert rate.rate == 5 and not rate.converged
    assert all(len([at for at in log.served if start <= at < start + 1]) <= 6 for start in range(60))


def test_a_minute_that_is_used_up_is_waited_for() -> None:
    """Rates fall only after an answer: six refusals until the minute ends do not halve them six times."""
    log = crawl(RequestRate.known(1.3 * RATE), Window(RATE, 60), 600, NEAR)
    assert log.held(60, 600) >= 0.85 * RATE and log.refused_share(0, 600) <= 0.01


def test_a_lowered_limit_is_found_again() -> None:
    rate = RequestRate.unknown(100.0, 19.8, converged=True)
    log = crawl(rate, TokenBucket(8, 8), 600, NEAR)
    assert log.held(300, 600) >= 0.9 * 8 and rate.rate <= 8.3


def test_a_long_pause_does_not_count_as_slowness() -> None:
    rate = RequestRate.unknown(100.0)
    crawl(rate, TokenBucket(20, 20), 900, NEAR, retry_after=60.0)
    assert rate.rate >= 0.9 * 20


def test_the_next_crawl_starts_at_the_rate_found() -> None:
    found = RequestRate.unknown(100.0)
    crawl(found, TokenBucket(20, 20), 300, NEAR)
    assert found.searching and found.converged
    log = crawl(RequestRate.unknown(100.0, found.rate, found.converged), TokenBucket(20, 20), 120, NEAR)
    assert log.held(0, 120) >= 0.93 * 20 and log.refused_share(0, 120) < 0.003


def test_a_known_rate_that_proved_wrong_is_kept_and_tried_again() -> None:
    wrong = RequestRate.known(20.0)
    assert not wrong.searching
    crawl(wrong, LeakyBucket(RATE, 0), 300, NEAR)
    assert wrong.searching
    log = crawl(RequestRate.known(20.0, wrong.rate), LeakyBucket(RATE, 0), 300, NEAR)
    assert log.held(0, 300) >= 0.85 * RATE and log.refused_share(0, 300) <= 0.005
    raised = RequestRate.known(20.0, wrong.rate)
    crawl(raised, LeakyBucket(40, 0), 300, NEAR)
    assert raised.rate > 19.9


def test_the_rate_of_a_slow_host_is_not_raised() -> None:
    rate = RequestRate.unknown(100.0)
    for second in range(1, 100):
        rate.on_sent(float(second), was_on_time=False)
        rate.on_success(float(second), 0.5)
    assert rate.rate == FIRST_RATE


def test_a_crawl_delay_caps_the_search() -> None:
    rate = RequestRate.unknown(100.0)
    rate.cap(0.5)
    crawl(rate, TokenBucket(100, 100), 60, NEAR)
    assert rate.rate == 0.5


def test_a_first_request_that_is_refused_does_not_end_the_climb() -> None:
    """The host may still be angry about somebody else."""
    closed_until, bucket = 5.0, TokenBucket(RATE, RATE)
    log = crawl(RequestRate.unknown(100.0), lambda now: now > closed_until and bucket(now), 120, NEAR)
    assert log.refused[0] < 1 and log.held(60, 120) >= 0.85 * RATE


def climb(answer: Callable[[float, int], float], seconds: float = 60.0) -> RequestRate:
    """Search for the rate of a host that takes `answer(rate, number)` seconds for each answer."""
    rate, now, number = RequestRate.unknown(100.0), 0.0, 0
    while now < seconds:
        rate.on_sent(now, was_on_time=True)
        taken = answer(rate.rate, number)
        rate.on_success(now + taken, taken)
        now, number = now + rate.interval, number + 1
    return rate


@pytest.mark.parametrize("capacity", [3.0, 10.0, 30.0])
def test_the_climb_stops_when_answers_slow_down(capacity: float) -> None:
    rate = climb(lambda rate, number: 0.1 * max(1.0, rate / capacity))
    assert rate.converged and 0.7 * capacity <= rate.rate <= 2 * capacity
    stopped = rate.rate
    rate.on_sent(1000.0, was_on_time=True)
    rate.on_sent(1001.0, was_on_time=True)
    assert rate.rate == stopped


def test_noise_does_not_stop_the_climb() -> None:
    """Every fourth answer takes three times as long, and a few milliseconds more are nothing."""
    assert climb(lambda rate, number: 0.3 if number % 4 == 0 else 0.1).rate == 100
    assert climb(lambda rate, number: 0.002 if number < 20 else 0.006).rate == 100


def test_a_log_counts_by_time() -> None:
    log = Log(served=[0.0, 1.0, 2.0, 3.0], refused=[0.5])
    assert log.held(0, 2) == 1.0 and log.refused_share(0, 2) == pytest.approx(1 / 3)
