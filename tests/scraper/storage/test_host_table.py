"""The next crawl uses what earlier ones learnt about a host."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from pathlib import Path

import pytest

from scraper.crawling.crawl import crawl_site
from scraper.crawling.session import open_session
from scraper.crawling.sources import choose_source
from scraper.http import rate_limiter
from scraper.http.errors import Stopped
from scraper.params import StoreParams
from scraper.storage.host_table import load_host_histories
from scraper.stores.config import load_site
from tests.helpers.crawl_results import crawl, summary
from tests.helpers.crawl_shop import Reply, Shop


@pytest.mark.usefixtures("short_backoff")
def test_a_host_that_is_down_ends_the_crawl_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limiter, "DOWN_AFTER", 4)
    with Shop(products=8) as shop:
        shop.replies = {path: [Reply(500)] for path in shop.images}
        assert crawl(tmp_path, shop, "concurrency = 1")["ended"] == "blocked"
        assert sum(shop.image_requests().values()) <= 10
    assert load_host_histories(tmp_path / ".cache/crawl/shop.sqlite")[shop.host].blocked_until is not None


def test_a_pause_outlasts_the_crawl(tmp_path: Path) -> None:
    with Shop(products=1) as shop, ThreadPoolExecutor(1) as pool:
        image = next(iter(shop.images))
        shop.replies[image] = [Reply(429, headers={"Retry-After": "300"})]
        site = load_site(str(tmp_path / shop.site(tmp_path)))
        with chdir(tmp_path), open_session(choose_source(site, StoreParams())) as session:
            waiting = pool.submit(session.client.image, f"http://{shop.host}{image}", {})
            while not any(limiter.waiting > 1 for limiter in session.client.rate_limiters):
                assert not waiting.done(), waiting.exception()
                time.sleep(0.01)
            session.stop.set()
            with pytest.raises(Stopped):
                waiting.result()
        host = shop.host
    blocked_until = load_host_histories(tmp_path / ".cache/crawl/shop.sqlite")[host].blocked_until
    assert blocked_until is not None and 290 < blocked_until - time.time() <= 301


def test_an_unknown_rate_is_searched_and_saved(tmp_path: Path) -> None:
    with Shop(products=2) as shop:
        path = tmp_path / shop.site(tmp_path)
        path.write_text(path.read_text().replace(f"requests_per_second = {shop.rate}", ""))
        rates = []
        for _ in range(2):
            with chdir(tmp_path):
                crawl_site(load_site(path.name), StoreParams())
            rates.append(summary(tmp_path)["hosts"][shop.host])
        times = [time for time, path, _ in shop.requests]
    assert times[2] - times[0] > 1, "a crawl of an unknown host starts slowly"
    assert 1 < rates[0]["rate_allowed"] < 20 and not rates[0]["rate_converged"]
    assert rates[1]["rate_allowed"] >= rates[0]["rate_allowed"]
    first, second = times[9] - times[0], times[-1] - times[-10]
    assert second < first / 1.5, "the second crawl starts at the rate at which the first ended"
