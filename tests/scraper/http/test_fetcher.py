"""Requests over a whole crawl: pauses that the host asks for, and rejections of a single URL."""

from pathlib import Path

import pytest

from scraper.http import rate_limiter
from tests.helpers.crawl_results import crawl, images
from tests.helpers.crawl_shop import Reply, Shop


def test_retry_after_is_obeyed_and_a_burst_counts_once(tmp_path: Path) -> None:
    with Shop(rate=100) as shop:
        for path in ("/img/gp0-1.jpg", "/img/gp0-2.jpg", "/img/gp1-1.jpg", "/img/gp1-2.jpg"):
            shop.replies[path] = [Reply(429, headers={"Retry-After": "2"}, delay=0.3), shop._own_reply(path)]
        counts = crawl(tmp_path, shop)
    assert counts["rejections"] == 4 and counts["downloaded"] == 12
    first = next(at for at, path, _ in shop.requests if path == "/img/gp0-1.jpg")
    later = [at for at, _, _ in shop.requests if at > first + 0.29]
    assert 2.3 <= min(later) - first < 3.5, (
        "no thread sends a request before the Retry-After, nor long after it"
    )
    assert counts["waited_seconds"] < 4


def test_a_url_that_is_always_rejected_does_not_stop_the_crawl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limiter, "_REJECTION_SECONDS", 0.0)
    with Shop(products=30) as shop:
        shop.replies["/img/gp0-1.jpg"] = [Reply(429)]
        crawl(tmp_path, shop)
        assert images(tmp_path)["/img/gp0-1.jpg"]["reason"] == "HTTP 429"
        assert sum(row["status"] == "ok" for row in images(tmp_path).values()) == 59


@pytest.mark.usefixtures("short_backoff")
def test_a_forbidden_image_costs_no_second_body(tmp_path: Path) -> None:
    with Shop(products=6) as shop:
        shop.replies = {f"/img/gp{n}-2.jpg": [Reply(403)] for n in range(6)}
        crawl(tmp_path, shop, "concurrency = 1")
        assert {images(tmp_path)[f"/img/gp{n}-2.jpg"]["status"] for n in range(6)} == {"refused"}
        bodies = [
            path
            for _, path, headers in shop.requests
            if path.endswith("-1.jpg") and "if-none-match" not in headers
        ]
    assert len(bodies) == len(set(bodies))
