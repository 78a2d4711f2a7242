"""A limiter that refuses, whatever its status: nothing is lost, and no URL pays for our speed."""

from pathlib import Path

import pytest

from benchmarks.crawling._broken_shop import BrokenShop, serve
from benchmarks.crawling._faulty_host import Answer, Host, LimitReq, http
from tests.helpers.broken_crawls import crawl, stored
from tests.helpers.crawl_results import summary
from tests.helpers.slow import others_slow

LIMITS = "requests_per_second = {}\ntimeout_seconds = 2\nattempts = 2"


def limit(host: Host, limiter: LimitReq, status: int, **headers: str) -> None:
    """Let a limiter refuse requests, as nginx does before it looks at the URL."""
    whole = host.answer

    def answer(path: str) -> Answer:
        return [http(status=status, **headers)] if limiter.refuses() else whole(path)

    host.answer = answer


@pytest.mark.parametrize("burst", others_slow([0, 5], 0))
@pytest.mark.parametrize("status", others_slow([429, 503, 509, 529], 429, 503))
def test_a_rate_that_is_too_high_loses_nothing(tmp_path: Path, status: int, burst: int) -> None:
    with serve(BrokenShop(48)) as served:
        limit(served.cdn, LimitReq(20, burst), status)
        crawl(tmp_path, served, limits=LIMITS.format(40), expect=0)
        assert stored(tmp_path) == set(served.shop.images)
        if burst == 0:
            assert any(request.status == status for request in served.cdn.log), "it was limited"


@pytest.mark.parametrize("status", others_slow([429, 503], 503))
def test_a_refusal_costs_no_attempt(tmp_path: Path, status: int) -> None:
    with serve(BrokenShop(48)) as served:
        limit(served.cdn, LimitReq(20), status)
        crawl(tmp_path, served, limits=LIMITS.format(40).replace("attempts = 2", "attempts = 1"), expect=0)
        assert stored(tmp_path) == set(served.shop.images)


@pytest.mark.parametrize("status", others_slow([429, 503], 503))
def test_a_known_rate_is_evenly_spaced_for_a_limiter_without_burst(tmp_path: Path, status: int) -> None:
    with serve(BrokenShop(48)) as served:
        limit(served.cdn, LimitReq(20), status)
        crawl(tmp_path, served, limits=LIMITS.format(20), expect=0)
        assert stored(tmp_path) == set(served.shop.images)
        refused = sum(request.status == status for request in served.cdn.log)
        assert refused <= 0.15 * len(served.cdn.log)


def test_each_host_has_its_own_limit(tmp_path: Path) -> None:
    with serve(BrokenShop(24), cdns=2) as served:
        limit(served.pages, LimitReq(20), 503)
        limit(served.cdns[0], LimitReq(30), 503)
        limit(served.cdns[1], LimitReq(15), 503, Retry_After="1")
        crawl(tmp_path, served, "html", LIMITS.format(40), expect=0)
        assert stored(tmp_path) == set(served.shop.images)
        assert summary(tmp_path)["pages_by_reason"] == {}


def test_a_limited_host_with_broken_urls(tmp_path: Path) -> None:
    shop = BrokenShop(48)
    with serve(shop) as served:
        whole, broken = served.cdn.answer, set(shop.images[:12])
        served.cdn.answer = lambda path: [http(status=500)] if path in broken else whole(path)
        limit(served.cdn, LimitReq(20), 503)
        crawl(tmp_path, served, limits=LIMITS.format(40), expect=4)
        assert stored(tmp_path) == set(shop.images[12:])
