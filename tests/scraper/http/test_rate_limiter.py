"""One object a host: its pace, its backoff clock, its blocks."""

import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.http import rate_limiter as module
from scraper.http.rate_limiter import Blocked, Governor, Stopped, parse_retry_after
from scraper.http.request_rate import KnownPace

NOW = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)


def make(rate: float = 1000.0, concurrency: int = 4, **options: float) -> Governor:
    return Governor("shop.test", KnownPace(rate), concurrency, threading.Event(), **options)  # type: ignore[arg-type]


def ask(governor: Governor, requests: int, threads: int = 1, work: float = 0.0) -> list[float]:
    """When each of the requests had its turn."""
    times: list[float] = []

    def run(count: int) -> None:
        for _ in range(count):
            with governor.turn() as started:
                times.append(started)
                time.sleep(work)

    crew = [threading.Thread(target=run, args=[requests // threads]) for _ in range(threads)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    return sorted(times)


@pytest.mark.parametrize(("rate", "requests"), [(20, 41), (100, 201)])
def test_the_rate_is_held_and_never_exceeded(rate: float, requests: int) -> None:
    times = ask(make(rate, 8), requests, threads=1 if requests % 4 else 4)
    held = (len(times) - 1) / (times[-1] - times[0])
    assert 0.95 * rate <= held <= rate * (1 + 2 / requests)
    # A limiter that counts in windows of a second sees no more than it allows, give or take the catching up.
    window = max(sum(1 for at in times if start <= at < start + 1) for start in times)
    assert window <= rate + module.CATCH_UP


def test_a_slow_host_is_not_asked_in_a_burst() -> None:
    times = ask(make(4), 4, threads=4)
    assert all(later - earlier > 0.18 for earlier, later in pairwise(times))


def test_concurrency_is_bounded() -> None:
    governor, inside, most = make(concurrency=3), [0], [0]

    def run() -> None:
        for _ in range(5):
            with governor.turn():
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.01)
                inside[0] -= 1

    crew = [threading.Thread(target=run) for _ in range(10)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert most[0] == 3


def test_crawl_delay_is_a_floor() -> None:
    governor = make(1000)
    ask(governor, 1)
    governor.set_crawl_delay(0.1)
    times = ask(governor, 3)
    assert times[0] - (governor.counters.first or 0) >= 0.1
    assert times[-1] - times[0] > 0.14
    governor.set_crawl_delay(0)
    assert governor.pace.rate == 10


def test_all_threads_wait_for_the_time_asked_for() -> None:
    governor = make()
    with governor.turn() as started:
        governor.turned_away(started, "HTTP 429", 0.5)
    times = ask(governor, 8, threads=4)
    assert times[0] >= started + 0.5
    assert governor.counters.waited > 0.4


def test_a_burst_counts_once_and_a_row_of_them_is_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TURNED_AWAY_SECONDS", 0.0)
    governor = make()
    for _ in range(module.BLOCK_AFTER - 1):
        started = time.monotonic()
        for _ in range(10):
            governor.turned_away(started, "HTTP 429", None)
    assert governor.counters.turned_away == 10 * (module.BLOCK_AFTER - 1)
    with pytest.raises(Blocked) as block:
        governor.turned_away(time.monotonic(), "HTTP 429", None)
    assert block.value.until == pytest.approx(time.time() + module.BLOCK_SECONDS, abs=2)


def test_a_good_answer_ends_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TURNED_AWAY_SECONDS", 0.0)
    governor = make()
    for _ in range(3 * module.BLOCK_AFTER):
        governor.turned_away(time.monotonic(), "HTTP 429", None)
        governor.succeeded()


def test_being_turned_away_slows_down_and_good_answers_speed_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_TURNED_AWAY_SECONDS", 0.0)
    governor = make(100)
    governor.turned_away(time.monotonic(), "HTTP 429", None)
    slow = ask(governor, 6)
    assert 5 / (slow[-1] - slow[0]) < 75
    for _ in range(200):
        governor.succeeded()
    assert governor.pace.rate == 100


def test_too_long_a_wait_is_a_block_until_then() -> None:
    governor = make(longest_wait=10)
    with pytest.raises(Blocked) as block:
        governor.turned_away(time.monotonic(), "HTTP 429", 100)
    assert block.value.until == pytest.approx(time.time() + 100, abs=2)


def test_a_block_of_an_earlier_run_is_waited_for() -> None:
    begun = time.monotonic()
    assert ask(make(blocked_until=time.time() + 0.4), 1)[0] >= begun + 0.39


def test_one_fault_holds_nobody_up_but_a_row_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.random, "uniform", lambda low, high: high)
    governor = make()
    governor.faulted(time.monotonic(), "HTTP 503", 5.0)
    begun = time.monotonic()
    assert ask(governor, 1)[0] - begun < 0.1
    governor.faulted(time.monotonic(), "HTTP 503", 0.6)
    begun = time.monotonic()
    assert ask(governor, 1)[0] - begun > 0.55


def test_waiting_threads_leave_when_the_crawl_ends() -> None:
    governor = make(0.01)
    ask(governor, 1)
    threading.Timer(0.1, governor.stop.set).start()
    begun = time.monotonic()
    with pytest.raises(Stopped), governor.turn():
        pass
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120), (" 7 ", 7), ("0", None), ("", None), (None, None),
        ("-5", None), ("soon", None), ("1.5", None),
        ("Wed, 01 May 2024 12:01:00 GMT", 60),
        ("Wednesday, 01-May-24 12:01:00 GMT", 60),
        ("Wed, 01 May 2024 11:59:00 GMT", None), ("Wed May  1 12:00:30 2024", 30), ("٣", None),
        ("9" * 400, 10 * 365 * 86400.0), ("Wed, 99 May 2024 12:00:00 GMT", None),
    ],
)  # fmt: skip
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(st.integers(1, 10**6))
def test_retry_after_as_seconds_and_as_a_date_agree(seconds: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert parse_retry_after(str(seconds), NOW) == parse_retry_after(date, NOW) == seconds


@given(st.text(max_size=40))
def test_any_retry_after_is_read_or_passed_over(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or 0 < seconds <= 10 * 365 * 86400
