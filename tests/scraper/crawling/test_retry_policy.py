"""Which URLs a crawl requests again that failed."""

from scraper.crawling.retry_policy import RetryPolicy
from scraper.http.errors import Postponed, TransientError
from scraper.http.reason import Reason

URL = "http://shop.test/a.jpg"


def error(retry_after: float | None = None) -> TransientError:
    return TransientError(Reason.of_status(500), retry_after)


def test_a_url_has_so_many_attempts_over_all_crawls_and_one_in_each() -> None:
    retries = RetryPolicy(attempts=5, longest_wait=900)
    for _ in range(100):
        retries.record_success()
    waits = [retries.failed(URL, error(), earlier=0) for _ in range(5)]
    assert None not in waits[:4] and waits[4] is None
    assert RetryPolicy(5, 900).failed(URL, error(), earlier=3) is not None
    assert RetryPolicy(5, 900).failed(URL, error(), earlier=4) is None
    assert RetryPolicy(5, 900).failed(URL, error(), earlier=9) is None


def test_broken_urls_get_a_second_try_and_more_only_while_others_are_served() -> None:
    retries = RetryPolicy(attempts=5, longest_wait=900)
    urls = [f"{URL}?{number}" for number in range(10)]
    assert all(retries.failed(url, error(), 0) is not None for url in urls)
    assert all(retries.failed(url, error(), 0) is None for url in urls)
    for _ in range(43):
        retries.record_success()
    assert retries.failed(urls[0], error(), 0) is not None
    assert retries.failed(urls[1], error(), 0) is None, "half as many failed as were served"


def test_a_url_that_is_postponed_loses_no_try() -> None:
    retries = RetryPolicy(attempts=2, longest_wait=900)
    assert retries.is_first(URL)
    for _ in range(50):
        assert retries.postponed(URL, Postponed(Reason.of_status(503))) > 0
    assert not retries.is_first(URL)
    assert retries.failed(URL, error(), 0) is not None and retries.failed(URL, error(), 0) is None


def test_a_retry_after_is_waited_for_unless_it_is_too_long() -> None:
    wait = RetryPolicy(5, longest_wait=60).failed(URL, error(retry_after=60), 0)
    assert wait is not None and wait >= 60
    assert RetryPolicy(5, longest_wait=60).failed(URL, error(retry_after=61), 0) is None
