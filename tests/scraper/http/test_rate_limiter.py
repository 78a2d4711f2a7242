"""Rate, concurrency, backoff and blocks of one host."""

import threading
import time
from itertools import pairwise

import pytest

from scraper.http import pace
from scraper.http import rate_limiter as module
from scraper.http.errors import Blocked, Stopped
from scraper.http.pace import CATCH_UP
from scraper.http.rate_limiter import HostRateLimiter
from scraper.http.reason import Reason
from scraper.http.request_rate import RequestRate


def make(rate: float = 1000.0, concurrency: int = 4, **options: float) -> HostRateLimiter:
    return HostRateLimiter("shop.test", RequestRate.known(rate), concurrency, threading.Event(), **options)  # type: ignore[arg-type]


def send(limiter: HostRateLimiter, requests: int, threads: int = 1, work: float = 0.0) -> list[float]:
    """Send that many requests; returns when each of them was due."""
    times: list[float] = []

    def run(count: int) -> None:
        for _ in range(count):
            with limiter.acquire() as started:
                times.append(started)
                time.sleep(work)

    workers = [threading.Thread(target=run, args=[requests // threads]) for _ in range(threads)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    return sorted(times)


@pytest.mark.heavy
@pytest.mark.parametrize(("rate", "requests"), [(20, 41), (100, 201)])
def test_the_rate_is_reached_and_never_exceeded(rate: float, requests: int) -> None:
    times = send(make(rate, 8), requests, threads=1 if requests % 4 else 4)
    held = (len(times) - 1) / (times[-1] - times[0])
    assert 0.95 * rate <= held <= rate * (1 + 2 / requests)
    # A limiter that counts in windows of a second sees at most its limit, plus the requests that catch up.
    window = max(sum(1 for at in times if start <= at < start + 1) for start in times)
    assert window <= rate + CATCH_UP


def test_a_slow_host_gets_no_burst() -> None:
    times = send(make(4), 4, threads=4)
    assert all(later - earlier > 0.18 for earlier, later in pairwise(times))


def test_concurrency_is_bounded() -> None:
    limiter, inside, most = make(concurrency=3), [0], [0]

    def run() -> None:
        for _ in range(5):
            with limiter.acquire():
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.01)
                inside[0] -= 1

    workers = [threading.Thread(target=run) for _ in range(10)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    assert most[0] == 3


def test_crawl_delay_is_a_floor() -> None:
    limiter = make(1000)
    send(limiter, 1)
    limiter.set_crawl_delay(0.1)
    times = send(limiter, 3)
    assert times[0] - (limiter.counters.first or 0) >= 0.1
    assert times[-1] - times[0] > 0.14
    limiter.set_crawl_delay(0)
    assert limiter.controller.rate == 10


def test_all_threads_wait_for_retry_after() -> None:
    limiter = make()
    with limiter.acquire() as started:
        limiter.record_rejection(started, Reason.of_status(429), 0.5)
    times = send(limiter, 8, threads=4)
    assert times[0] >= started + 0.5
    assert limiter.counters.waited > 0.4


def test_a_burst_counts_once_and_several_in_a_row_are_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REJECTION_SECONDS", 0.0)
    limiter = make()
    for _ in range(module.BLOCK_AFTER - 1):
        started = time.monotonic()
        for _ in range(10):
            limiter.record_rejection(started, Reason.of_status(429), None)
    assert limiter.counters.rejections == 10 * (module.BLOCK_AFTER - 1)
    with pytest.raises(Blocked) as block:
        limiter.record_rejection(time.monotonic(), Reason.of_status(429), None)
    assert block.value.until == pytest.approx(time.time() + module.BLOCK_SECONDS, abs=2)


def test_a_success_resets_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REJECTION_SECONDS", 0.0)
    limiter = make()
    for _ in range(3 * module.BLOCK_AFTER):
        limiter.record_rejection(time.monotonic(), Reason.of_status(429), None)
        limiter.record_success(0.0)


def test_answers_of_the_same_burst_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REJECTION_SECONDS", 0.0)
    limiter = make(100)
    started = time.monotonic()
    limiter.record_success(0.0)
    for _ in range(4):
        limiter.record_rejection(started, Reason.of_status(503), None)
    slower = limiter.controller.rate
    assert 50 <= slower < 100
    limiter.record_rejection(started, Reason.of_status(503), None)
    assert limiter.controller.rate == slower


def test_an_answer_that_was_on_its_way_does_not_end_a_row_of_rejections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_REJECTION_SECONDS", 0.0)
    limiter = make()
    early = time.monotonic()
    with pytest.raises(Blocked):
        for _ in range(module.BLOCK_AFTER):
            limiter.record_rejection(time.monotonic(), Reason.of_status(503), None)
            limiter.record_success(time.monotonic() - early)


def test_an_answer_to_a_later_request_ends_a_row_of_rejections(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that serves one request at a time refuses the others before it has answered that one."""
    monkeypatch.setattr(module, "_REJECTION_SECONDS", 0.0)
    limiter = make()
    limiter.record_rejection(time.monotonic(), Reason.of_status(503), None)
    for _ in range(2 * module.BLOCK_AFTER):
        served = time.monotonic()
        limiter.record_rejection(time.monotonic(), Reason.of_status(503), None)
        rate = limiter.controller.rate
        limiter.record_success(time.monotonic() - served)
        assert limiter.controller.rate < rate, "fewer are in flight then"


def test_requests_are_spaced_evenly_once_the_host_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REJECTION_SECONDS", 0.0)
    limiter = make(50)
    time.sleep(0.1)
    hasty = send(limiter, 3)
    assert hasty[-1] - hasty[0] < 0.03, "the schedule catches up"
    limiter.record_rejection(time.monotonic(), Reason.of_status(503), None)
    send(limiter, 1)
    time.sleep(0.1)
    even = send(limiter, 3)
    assert all(later - earlier >= 0.02 for earlier, later in pairwise(even))


def test_an_unknown_host_is_asked_evenly() -> None:
    limiter = HostRateLimiter("shop.test", RequestRate.unknown(50, 50.0), 4, threading.Event())
    time.sleep(0.1)
    times = send(limiter, 3)
    assert all(later - earlier >= 0.02 for earlier, later in pairwise(times))


def test_too_long_a_retry_after_is_a_block_until_then() -> None:
    limiter = make(longest_wait=10)
    with pytest.raises(Blocked) as block:
        limiter.record_rejection(time.monotonic(), Reason.of_status(429), 100)
    assert block.value.until == pytest.approx(time.time() + 100, abs=2)


def test_the_block_of_an_earlier_run_is_waited_for() -> None:
    start = time.monotonic()
    assert send(make(blocked_until=time.time() + 0.4), 1)[0] >= start + 0.39


def test_a_single_failure_delays_nothing_but_several_in_a_row_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace.random, "uniform", lambda low, high: high)
    limiter = make()
    start = time.monotonic()
    limiter.record_failure(time.monotonic(), Reason.of_status(503), 0.6)
    assert send(limiter, 1)[0] - start > 0.55


def test_waiting_threads_stop_when_the_crawl_ends() -> None:
    limiter = make(0.01)
    send(limiter, 1)
    threading.Timer(0.1, limiter.stop.set).start()
    start = time.monotonic()
    with pytest.raises(Stopped), limiter.acquire():
        pass
    assert time.monotonic() - start < 2


def test_a_request_that_is_sent_alone_comes_after_a_pause_and_before_all_others() -> None:
    limiter = make(100)
    with limiter.acquire():
        pass
    others: list[float] = []
    threads = [threading.Thread(target=lambda: others.extend(send(limiter, 1))) for _ in range(3)]
    start = time.monotonic()
    with limiter.acquire_alone() as alone:
        pass
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert alone - start >= 0.25 and min(others) > alone


def test_a_request_that_is_sent_alone_waits_for_those_in_flight() -> None:
    limiter, ended = make(), 0.0

    def run() -> None:
        nonlocal ended
        with limiter.acquire():
            time.sleep(0.6)
            ended = time.monotonic()

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.05)
    with limiter.acquire_alone() as started:
        assert started >= ended > 0.0
    thread.join()


def test_others_wait_while_a_request_is_sent_alone() -> None:
    limiter, others = make(100), list[float]()
    waiting = threading.Thread(target=lambda: others.extend(send(limiter, 5)))
    threading.Timer(0.1, waiting.start).start()
    with limiter.acquire_alone() as alone:
        pass
    time.sleep(0.2)
    waiting.join()
    assert min(others) > alone


def test_a_block_ends_the_waiting_of_all_threads() -> None:
    limiter, ends = make(longest_wait=10), list[BaseException]()

    def run() -> None:
        try:
            send_one()
        except Blocked as block:
            ends.append(block)

    def send_one() -> None:
        with limiter.acquire():
            pass

    limiter.record_rejection(time.monotonic(), Reason.of_status(429), 9)
    waiting = [threading.Thread(target=run) for _ in range(3)]
    for thread in waiting:
        thread.start()
    with pytest.raises(Blocked) as block:
        limiter.record_rejection(time.monotonic(), Reason.of_status(429), 100)
    for thread in waiting:
        thread.join(5)
    assert ends == [block.value] * 3
