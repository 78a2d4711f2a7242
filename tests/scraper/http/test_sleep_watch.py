"""A computer that sleeps is noticed by its clock."""

import threading
import time
from collections.abc import Iterator

import pytest

from scraper.http.sleep_watch import SleepWatch


@pytest.fixture
def watch() -> Iterator[SleepWatch]:
    stop = threading.Event()
    yield SleepWatch(stop)
    stop.set()


def test_a_sleep_concerns_the_requests_that_were_in_flight(
    watch: SleepWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = time.monotonic()
    assert not watch.slept_since(before)
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + 3600)  # the monotonic clock stands still meanwhile
    assert watch.slept_since(before)
    time.sleep(0.6)  # the watch looks twice a second
    assert watch.slept_since(before) and not watch.slept_since(time.monotonic())


def test_a_clock_that_is_set_back_is_no_sleep(watch: SleepWatch, monkeypatch: pytest.MonkeyPatch) -> None:
    before, clock = time.monotonic(), time.time
    monkeypatch.setattr(time, "time", lambda: clock() - 3600)
    assert not watch.slept_since(before)
