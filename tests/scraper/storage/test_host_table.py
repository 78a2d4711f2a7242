"""The next crawl uses what earlier ones learnt about a host."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gemkit.project import Project
from scraper.crawling.crawl import crawl as crawl_site
from scraper.crawling.session import open_session
from scraper.crawling.sources import choose_source
from scraper.http import rate_limiter
from scraper.http.errors import Postponed, Stopped
from scraper.storage.host_table import load_host_histories
from scraper.stores.config import load_site
from tests.helpers.crawl_results import crawl, summary
from tests.helpers.crawl_shop import Reply, Shop


@pytest.mark.usefixtures("short_backoff")
def test_a_host_that_is_down_ends_the_crawl_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limiter, "DOWN_AFTER", 4)
    with Shop(products=8, rate=50) as shop, ThreadPoolExecutor(1) as pool:
        crawling = pool.submit(crawl, tmp_path, shop, "concurrency = 1")
        while shop.image_requests().total() < 3:
            time.sleep(0.01)
        shop.replies = {path: [Reply(500)] for path in ["/robots.txt", *shop.counts, *shop.images]}
        assert crawling.result()["ended"] == "blocked"
        assert shop.image_requests().total() <= 24
        shop.replies = {}
    with sqlite3.connect(tmp_path / ".cache/crawl/shop.sqlite") as database:
        assert database.execute("SELECT max(attempts) FROM images").fetchone()[0] <= 1
    assert load_host_histories(tmp_path / ".cache/crawl/shop.sqlite")[shop.host].blocked_until is not None


def test_a_pause_outlasts_the_crawl(tmp_path: Path) -> None:
    project = Project(tmp_path)
    with Shop(products=1) as shop, ThreadPoolExecutor(1) as pool:
        image = next(iter(shop.images))
        shop.replies[image] = [Reply(429, headers={"Retry-After": "300"})]
        site = load_site(tmp_path / shop.site(tmp_path))
        with open_session(project, choose_source(project, site, None)) as session:
            with pytest.raises(Postponed):
                session.client.image(f"http://{shop.host}{image}", {})
            waiting = pool.submit(session.client.image, f"http://{shop.host}{image}", {})
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
            crawl_site(Project(tmp_path), load_site(path))
            rates.append(summary(tmp_path)["hosts"][shop.host])
        times = [time for time, path, _ in shop.requests]
    assert times[2] - times[0] > 1, "a crawl of an unknown host starts slowly"
    assert 1 < rates[0]["rate_allowed"] < 20 and not rates[0]["rate_converged"]
    assert rates[1]["rate_allowed"] >= rates[0]["rate_allowed"]
    first, second = times[9] - times[0], times[-1] - times[-10]
    assert second < first / 1.5, "the second crawl starts at the rate at which the first ended"
