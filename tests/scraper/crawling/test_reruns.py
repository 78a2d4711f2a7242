"""What a crawl finds out is not lost, and not mistaken, in the next one."""

import io
import time
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gemkit.tables import read_table
from scraper.crawling.crawl import crawl_site
from scraper.crawling.plan import plan_site
from scraper.crawling.session import open_session
from scraper.http import rate_limiter as governor
from scraper.monitoring.summary import Summary
from scraper.params import StoreParams
from scraper.storage.host_history import remembered_hosts
from scraper.storage.image_store import check_image
from scraper.stores.config import load_site
from scraper.tables import IMAGES
from tests.helpers.crawl_shop import Reply, Shop, photo


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(governor, "_TURNED_AWAY_SECONDS", 0.01)
    monkeypatch.setattr(governor, "_FAULT_SECONDS", 0.01)


def crawl(folder: Path, shop: Shop, limits: str = "") -> Summary:
    with chdir(folder):
        return crawl_site(load_site(shop.site(folder, limits)), StoreParams())


def rows(folder: Path, site: str = "shop") -> dict[str, dict[str, Any]]:
    table = read_table(folder / f"data/raw/{site}/images.parquet", IMAGES)
    return {"/" + row["image_url"].split("/", 3)[3]: row for row in table.to_pylist()}


def test_photos_of_phones_and_thin_ones_are_images() -> None:
    pictures = [Image.new("RGB", (64, 48), colour) for colour in ("red", "blue")]
    several, thin = io.BytesIO(), io.BytesIO()
    pictures[0].save(several, "MPO", save_all=True, append_images=pictures[1:])
    Image.new("RGB", (300, 4)).save(thin, "JPEG")
    assert check_image(several.getvalue(), 10_000) == ("JPEG", 64, 48)
    assert check_image(thin.getvalue(), 10_000) == ("JPEG", 300, 4)


def test_what_was_never_stored_does_not_become_ok(tmp_path: Path) -> None:
    path = "/img/gp0-1.jpg"
    with Shop(products=1) as shop:
        good, shop.photos[path] = shop.photos[path], b"no image"
        for replies, status in ([], "invalid"), ([Reply(500)], "failed"), ([], "invalid"):
            shop.replies = {path: replies} if replies else {}
            crawl(tmp_path, shop)
            assert rows(tmp_path)[path]["status"] == status
        shop.photos[path] = good
        crawl(tmp_path, shop)
    assert rows(tmp_path)[path]["status"] == "ok" and rows(tmp_path)[path]["path"]


def test_a_list_corrected_after_its_plan_is_what_is_crawled(tmp_path: Path) -> None:
    with Shop(products=4) as shop, chdir(tmp_path):
        links = [f"Ruby,http://{shop.host}{path}" for path in sorted(shop.photos)]
        Path("list.toml").write_text(
            f'kind = "links"\ntitle = "List"\nlinks = "list.csv"\nimage_hosts = ["{shop.host}"]\n'
            'contact = "me@example.org"\n[limits]\nrequests_per_second = 200\n'
        )
        site = load_site("list.toml")
        for wanted in (links[:2], links[2:5], links[1:3]):
            Path("list.csv").write_text("\n".join(["class,image_url", *wanted]))
            plan, _ = plan_site(site, StoreParams())
            assert plan is not None and plan.listing.distinct == len(wanted)
        assert crawl_site(site, StoreParams()).distinct == 2
        ok = {path for path, row in rows(tmp_path, "list").items() if row["status"] == "ok"}
    assert ok == {link.split(shop.host)[1] for link in links[1:3]}


def test_a_host_that_is_down_ends_the_crawl_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(governor, "DOWN_AFTER", 4)
    with Shop(products=8) as shop:
        shop.replies = {path: [Reply(500)] for path in shop.photos}
        assert crawl(tmp_path, shop, "concurrency = 1").ended == "blocked"
        assert sum(shop.image_requests().values()) <= 10
    assert remembered_hosts(tmp_path / ".cache/crawl/shop.sqlite")[shop.host].blocked_until is not None


def test_a_robots_file_that_fails_after_a_day_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scraper.http.robots._FRESH_SECONDS", 0.3)
    with Shop(products=12, rate=40) as shop:
        shop.replies["/robots.txt"] = [Reply(200, b"User-agent: *\nDisallow:\n"), Reply(503)]
        summary = crawl(tmp_path, shop)
    assert summary.ended == "blocked" and "robots.txt" in summary.block
    assert "refused" not in {row["status"] for row in rows(tmp_path).values()}


def test_a_block_does_not_hide_what_is_gone(tmp_path: Path) -> None:
    with Shop(products=2) as shop:
        shop.replies["/img/gp0-1.jpg"] = [Reply(404)]
        crawl(tmp_path, shop)
        shop.photos["/img/gp1-9.jpg"] = photo(99)
        shop.replies |= {path: [Reply(429)] for path in ["/gems", *shop.photos]}
        assert crawl(tmp_path, shop).ended == "blocked"
    assert rows(tmp_path)["/img/gp0-1.jpg"]["status"] == "gone"


def test_a_crawl_delay_that_nobody_can_keep_is_a_block(tmp_path: Path) -> None:
    with Shop(robots="User-agent: *\nCrawl-delay: 1000000000000\n") as shop:
        summary = crawl(tmp_path, shop)
    assert summary.ended == "blocked" and "Crawl-delay" in summary.block


def test_a_wait_is_kept_over_the_end_of_the_crawl(tmp_path: Path) -> None:
    with Shop(products=1) as shop:
        site = load_site(str(tmp_path / shop.site(tmp_path)))
    with chdir(tmp_path), open_session(site, StoreParams()) as session:
        session.source._host(shop.host).governor.turned_away(0.0, "HTTP 429", 300.0)  # type: ignore[union-attr]
    left = remembered_hosts(tmp_path / ".cache/crawl/shop.sqlite")[shop.host].blocked_until
    assert left is not None and 290 < left - time.time() <= 301


def test_a_forbidden_image_costs_no_second_body(tmp_path: Path) -> None:
    with Shop(products=6) as shop:
        shop.replies = {f"/img/gp{n}-2.jpg": [Reply(403)] for n in range(6)}
        crawl(tmp_path, shop, "concurrency = 1")
        assert {rows(tmp_path)[f"/img/gp{n}-2.jpg"]["status"] for n in range(6)} == {"refused"}
        bodies = [path for _, path, headers in shop.asked if "img" in path and "if-none-match" not in headers]
    assert len(bodies) == len(set(bodies))
