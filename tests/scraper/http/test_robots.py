"""robots.txt over a whole crawl: how long it stays valid, what it forbids, and its Crawl-delay."""

from pathlib import Path

import pytest

from gemkit.errors import UserError
from gemkit.project import Project
from scraper.crawling.crawl import crawl as crawl_site
from scraper.stores.config import load_site
from tests.helpers.crawl_results import crawl, images
from tests.helpers.crawl_shop import Reply, Shop


def test_robots_txt_is_fetched_again_after_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scraper.http.robots._FRESH_SECONDS", 0.2)
    with Shop(products=6, rate=40) as shop:
        crawl(tmp_path, shop)
        assert 2 <= shop.counts["/robots.txt"] <= 6


@pytest.mark.usefixtures("short_backoff", "short_pauses")
def test_a_robots_txt_that_fails_after_a_day_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scraper.http.robots._FRESH_SECONDS", 0.3)
    with Shop(products=12, rate=40) as shop:
        shop.replies["/robots.txt"] = [Reply(200, b"User-agent: *\nDisallow:\n"), Reply(503)]
        summary = crawl(tmp_path, shop)
    assert summary["ended"] == "blocked" and "robots.txt" in summary["block"]
    assert "refused" not in {row["status"] for row in images(tmp_path).values()}


def test_an_impossible_crawl_delay_is_a_block(tmp_path: Path) -> None:
    with Shop(robots="User-agent: *\nCrawl-delay: 1000000000000\n") as shop:
        summary = crawl(tmp_path, shop)
    assert summary["ended"] == "blocked" and "Crawl-delay" in summary["block"]


@pytest.mark.usefixtures("short_backoff", "short_pauses")
@pytest.mark.parametrize(
    ("robots", "message"),
    [
        (Reply(200, b"User-agent: gemscrape\nDisallow: /\n"), "'robots.txt'"),
        (Reply(503), "'robots.txt cannot be read: HTTP 503'"),
    ],
)
def test_a_forbidden_start_page_ends_the_crawl(tmp_path: Path, robots: Reply, message: str) -> None:
    with Shop() as shop:
        shop.replies["/robots.txt"] = [robots]
        with pytest.raises(UserError, match=message):
            crawl(tmp_path, shop)
        assert set(shop.counts) == {"/robots.txt"}


def test_crawl_delay_is_a_floor(tmp_path: Path) -> None:
    with Shop(products=2, robots="User-agent: *\nCrawl-delay: 0.25\n") as shop:
        crawl(tmp_path, shop)
        times = [at for at, _, _ in shop.requests]
        assert (times[-1] - times[0]) / (len(times) - 1) > 0.24


@pytest.mark.parametrize("rules", ["Disallow: /img/gp0-1.jpg\n" * 500_000, "Disallow: /img/gp0-1.jpg\n"])
def test_a_robots_txt_larger_than_any_limit_is_obeyed(tmp_path: Path, rules: str) -> None:
    padding = "" if len(rules) > 11_000_000 else "#" * 11_000_000
    with Shop(products=1, robots=f"User-agent: *\n{rules}{padding}\nDisallow: /\n") as shop:
        crawl(tmp_path, shop, "max_page_bytes = 20_000")
    ends = {path: row["status"] for path, row in images(tmp_path).items()}
    assert ends == {"/img/gp0-1.jpg": "refused", "/img/gp0-2.jpg": "ok"}


def test_a_robots_txt_moved_to_another_host_of_the_site(tmp_path: Path) -> None:
    with Shop(products=1, robots="User-agent: *\nDisallow: /img/gp0-1.jpg\n") as shop, Shop() as other:
        hops = [f"http://{other.host}/hop{n}" for n in range(4)] + [f"http://{shop.host}/rules.txt"]
        shop.replies["/robots.txt"] = [Reply(301, headers={"Location": hops[0]})]
        for n, hop in enumerate(hops[1:]):
            other.replies[f"/hop{n}"] = [Reply(302, headers={"Location": hop})]
        shop.replies["/rules.txt"] = [Reply(206, shop.robots.encode())]
        text = (tmp_path / shop.site(tmp_path)).read_text()
        site = text.replace("page_hosts = [", f'page_hosts = ["{other.host}", ')
        (tmp_path / "shop.toml").write_text(site)
        crawl_site(Project(tmp_path), load_site(tmp_path / "shop.toml"))
    ends = {path: row["status"] for path, row in images(tmp_path).items()}
    assert ends == {"/img/gp0-1.jpg": "refused", "/img/gp0-2.jpg": "ok"}
