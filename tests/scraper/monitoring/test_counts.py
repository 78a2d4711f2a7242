"""`metrics/crawl/<site>.json` holds what every crawl of the same store finds, and nothing else."""

import shutil
import signal
from pathlib import Path

import pytest

from tests.helpers.commands import signal_when, start
from tests.helpers.crawl_results import crawl, crawl_counts, summary
from tests.helpers.crawl_shop import Reply, Shop, jpeg


@pytest.mark.usefixtures("short_backoff")
def test_the_counts_of_a_crawl(tmp_path: Path, shop: Shop) -> None:
    shop.replies = {
        "/img/gp0-1.jpg": [Reply(404)],
        "/p/gp5": [Reply(500)],
        "/img/gp1-1.jpg": [Reply(429), Reply(404)],
    }
    crawl(tmp_path, shop)
    assert crawl_counts(tmp_path) == {
        "site": "shop",
        "ended": "incomplete",
        "pages": 9,
        "pages_by_reason": {"failed: HTTP 500": 1},
        "found": 10,
        "distinct": 10,
        "products": 5,
        "images": {"gone": 2, "ok": 8},
        "by_reason": {"gone: HTTP 404": 2},
    }
    assert summary(tmp_path)["rejections"] == 1 and summary(tmp_path)["seconds"] > 0


def test_a_second_crawl_and_one_of_a_lost_state_count_the_same(tmp_path: Path, shop: Shop) -> None:
    shop.images["/img/gp1-1.jpg"] = b"no image"
    crawl(tmp_path, shop)
    counts = crawl_counts(tmp_path)
    assert crawl(tmp_path, shop)["downloaded"] == 0 and crawl_counts(tmp_path) == counts
    shutil.rmtree(tmp_path / ".cache")
    crawl(tmp_path, shop)
    assert crawl_counts(tmp_path) == counts


def test_an_interrupted_crawl_counts_what_is_known_and_ends_with_the_same_counts(tmp_path: Path) -> None:
    with Shop(products=20, rate=40) as shop:
        process = start("gemscrape", "crawl", "--site", shop.site(tmp_path), cwd=tmp_path)
        signal_when(process, lambda: shop.image_requests().total() > 5, signal.SIGINT)
        part = crawl_counts(tmp_path)
        assert (part["ended"], part["found"], part["products"]) == ("interrupted", 40, 20)
        assert 5 <= part["images"]["ok"] < 40
        shop.rate = 1000.0
        crawl(tmp_path, shop)
        assert summary(tmp_path)["pages"] == 0
        resumed = crawl_counts(tmp_path)
        (tmp_path / "anew").mkdir()
        crawl(tmp_path / "anew", shop)
    assert resumed == crawl_counts(tmp_path / "anew")


@pytest.mark.usefixtures("short_backoff")
def test_a_blocked_crawl_counts_what_is_left_as_blocked(tmp_path: Path) -> None:
    with Shop(products=2) as shop:
        shop.replies = {path: [Reply(429, headers={"Retry-After": "5000"})] for path in shop.images}
        crawl(tmp_path, shop)
        reason = f"blocked: {shop.host}: HTTP 429"
    counts = crawl_counts(tmp_path)
    assert (counts["ended"], counts["images"], counts["by_reason"]) == (
        "blocked",
        {"blocked": 4},
        {reason: 4},
    )


def test_lost_images_are_counted_once_also_when_the_crawl_was_interrupted(tmp_path: Path) -> None:
    with Shop(products=20) as shop:
        crawl(tmp_path, shop)
        del shop.images["/img/gp0-1.jpg"], shop.images["/img/gp1-1.jpg"]
        shop.images["/img/gp0-3.jpg"] = jpeg(98)
        shop.replies = {"/img/gp0-2.jpg": [Reply(404)], "/img/gp0-3.jpg": [Reply(404)]}
        shop.rate = 40
        shop.requests.clear()
        process = start("gemscrape", "crawl", "--site", shop.site(tmp_path), cwd=tmp_path)
        signal_when(process, lambda: shop.image_requests().total() > 5, signal.SIGINT)
        assert summary(tmp_path)["gone"] in (2, 3), "an image that was never known is not lost"
        shop.rate = 1000.0
        assert crawl(tmp_path, shop)["gone"] == 3
        assert crawl(tmp_path, shop)["gone"] == 0
