"""Fixtures of the scraper's tests."""

from collections.abc import Iterator

import pytest
from tenacity import wait_random_exponential

from scraper.crawling import retry_policy
from scraper.http import pace, rate_limiter, retries
from tests.helpers.crawl_shop import Shop


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as shop:
        yield shop


@pytest.fixture(autouse=True)
def _short_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, a URL that failed is requested again within a tenth of a second, not a second."""
    monkeypatch.setattr(retry_policy, "_FIRST_WAIT_SECONDS", 0.1)
    monkeypatch.setattr(retries, "_FULL_JITTER", wait_random_exponential(multiplier=0.05, max=6))


@pytest.fixture
def short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rejections and failures hardly delay the next request."""
    monkeypatch.setattr(rate_limiter, "_REJECTION_SECONDS", 0.002)
    monkeypatch.setattr(rate_limiter, "_FAILURE_SECONDS", 0.01)


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses of a host that does not answer stay below a second: it counts as down within seconds."""
    monkeypatch.setattr(pace, "_LONGEST_BACKOFF_SECONDS", 1.0)
