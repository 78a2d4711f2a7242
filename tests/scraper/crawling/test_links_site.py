"""Crawling a site that is a link list."""

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from gemkit.errors import UserError
from gemkit.project import Project
from gemkit.tables import read_table
from scraper.crawling.crawl import crawl as crawl_site
from scraper.crawling.plan import plan as plan_site
from scraper.stores.config import load_site
from scraper.tables import PRODUCTS
from tests.helpers.commands import called, signal_when, start
from tests.helpers.crawl_results import check_files, images, summary
from tests.helpers.crawl_shop import Reply, Shop
from tests.helpers.link_sites import links_site, listed


def crawl(folder: Path, site: str = "shop.toml") -> dict[str, Any]:
    """Crawl to the end, in this process; returns the summary."""
    crawl_site(Project(folder), load_site(folder / site))
    return summary(folder)


def products(folder: Path) -> list[dict[str, Any]]:
    return read_table(folder / "data/raw/shop/products.parquet", PRODUCTS).to_pylist()


def test_a_list_is_crawled(tmp_path: Path, shop: Shop) -> None:
    extra = [("Ruby", "/img/gone.jpg"), ("Ruby", "/img/certificate.jpg"), ("", "/img/gp1-1.jpg")]
    shop.images["/img/certificate.jpg"] = shop.images["/img/gp0-1.jpg"]
    links_site(tmp_path, shop, listed(shop) + extra)
    with (tmp_path / "lists/shop.csv").open("a") as file:
        file.write("Ruby,http://evil.example/gp9-1.jpg\n")
    counts = crawl(tmp_path)
    rows = images(tmp_path)
    check_files(tmp_path)
    assert (counts["ended"], counts["distinct"], counts["downloaded"]) == ("finished", 15, 13)
    assert counts["notes"] == [
        f"'{tmp_path}/lists/shop.csv': lines skipped without a class: 1, the first is line 27"
    ]
    assert max(shop.image_requests().values()) == 1
    assert set(shop.counts) == {*shop.images, "/img/gone.jpg", "/robots.txt"}
    first, alone = rows["/img/gp0-1.jpg"], rows["/img/certificate.jpg"]
    assert (first["store_classes"], first["product_ids"]) == (["Red stones", "Ruby"], ["gp0"])
    assert (alone["store_classes"], alone["product_ids"], alone["page_urls"]) == (["Ruby"], [], [])
    assert rows["/img/gone.jpg"]["status"] == "gone"
    assert rows["/gp9-1.jpg"]["reason"] == "host evil.example is not allowed"
    expected = [(f"gp{n}", name) for n in range(6) for name in (["Red stones"] if n < 2 else []) + ["Ruby"]]
    assert [(row["product_id"], row["store_class"]) for row in products(tmp_path)] == [
        *expected,
        ("gp9", "Ruby"),
    ]
    assert {row["page_url"] for row in products(tmp_path)} == {None}


def test_a_changed_list_is_followed(tmp_path: Path, shop: Shop) -> None:
    links_site(tmp_path, shop, listed(shop))
    crawl(tmp_path)
    shop.requests.clear()
    shop.images["/img/gp7-1.jpg"] = shop.images["/img/gp0-1.jpg"]
    links_site(tmp_path, shop, [("Opal", path) for path in shop.images if path != "/img/gp5-1.jpg"])
    counts = crawl(tmp_path)
    rows = images(tmp_path)
    assert (counts["added"], counts["changed"], counts["unchanged"]) == (1, 0, 11)
    asked = [headers for _, path, headers in shop.requests if path not in ("/robots.txt", "/img/gp7-1.jpg")]
    assert len(asked) == 11 and all("if-none-match" in headers for headers in asked)
    gone = rows["/img/gp5-1.jpg"]
    assert (gone["status"], gone["reason"], gone["store_classes"]) == ("gone", "no longer listed", ["Ruby"])
    assert gone["gone_at"] and (tmp_path / "data/raw/shop" / gone["path"]).exists()
    assert rows["/img/gp0-1.jpg"]["store_classes"] == ["Opal"]
    assert {(row["product_id"], row["store_class"]) for row in products(tmp_path)} == {
        *((f"gp{n}", "Opal") for n in (0, 1, 2, 3, 4, 5, 7)), ("gp5", "Ruby"),
    }  # fmt: skip


def test_a_lost_state_is_rebuilt(tmp_path: Path, shop: Shop) -> None:
    links_site(tmp_path, shop, listed(shop))
    crawl(tmp_path)
    before = images(tmp_path), products(tmp_path)
    shutil.rmtree(tmp_path / ".cache")
    assert crawl(tmp_path)["downloaded"] == 0
    assert (images(tmp_path), products(tmp_path)) == before


def test_kill_9_loses_only_what_was_in_flight(tmp_path: Path) -> None:
    with Shop(products=15, rate=60) as shop:
        site = links_site(tmp_path, shop, listed(shop))
        process = start("gemscrape", "crawl", "--site", site, cwd=tmp_path)
        signal_when(process, lambda: len(shop.requests) >= 12, signal.SIGKILL)
        assert shop.image_requests().total() < 30
        crawl(tmp_path)
        assert shop.image_requests().total() - 30 <= 4
        assert len(images(tmp_path)) == 30
        check_files(tmp_path)


def test_columns_and_queries_follow_the_site(tmp_path: Path, shop: Shop) -> None:
    more = 'class_column = "stone"\nimage_column = "photo"\nstrip_query = true'
    links_site(tmp_path, shop, [], more)
    url = f"http://{shop.host}/img/gp1-1.jpg"
    (tmp_path / "lists/shop.csv").write_text(f"photo,class,stone\n{url}?w=9,x,Ruby\n{url}?w=8,y,Garnet\n")
    crawl(tmp_path)
    assert images(tmp_path)["/img/gp1-1.jpg"]["store_classes"] == ["Garnet", "Ruby"]
    assert shop.image_requests() == {"/img/gp1-1.jpg": 1}


def test_an_error_in_the_list_is_one_sentence(tmp_path: Path, shop: Shop) -> None:
    site = links_site(tmp_path, shop, [])
    done = called("gemscrape", "crawl", "--site", site, cwd=tmp_path, expect=2)
    assert done.stderr.startswith("error: 'lists/shop.csv' contains no") and done.stderr.count("\n") == 1
    assert not shop.requests


def test_an_unreadable_list_makes_no_image_gone(tmp_path: Path, shop: Shop) -> None:
    links_site(tmp_path, shop, listed(shop))
    crawl(tmp_path)
    (tmp_path / "lists/shop.csv").write_text("class,image_url\n")
    with pytest.raises(UserError):
        crawl(tmp_path)
    assert {row["status"] for row in images(tmp_path).values()} == {"ok"}


def test_a_links_site_may_be_a_stage(tmp_path: Path, shop: Shop) -> None:
    """Its name is in the parameters, its files are in the project's folder `sites/`."""
    (tmp_path / "sites").mkdir()
    links_site(tmp_path / "sites", shop, listed(shop))
    (tmp_path / "params.yaml").write_text("sites: [shop]\ncrawl:\n  shop: {}\n")
    called("gemscrape", "crawl", "--site", "shop", cwd=tmp_path)
    assert len(images(tmp_path)) == 12
    assert "sites/lists/shop.csv" in called("gemscrape", "sites", cwd=tmp_path).stdout


def test_robots_and_blocks_apply_to_lists_too(tmp_path: Path) -> None:
    with Shop(robots="User-agent: *\nDisallow: /img/gp0-1\n") as shop:
        shop.replies["/img/gp3-1.jpg"] = [Reply(429, headers={"Retry-After": "5000"})]
        site = links_site(tmp_path, shop, listed(shop))
        done = called("gemscrape", "crawl", "--site", site, cwd=tmp_path, expect=3)
        assert "blocked us" in done.stderr
        assert "/img/gp0-1.jpg" not in shop.counts
        assert images(tmp_path)["/img/gp3-1.jpg"]["status"] == "blocked"


def test_a_list_corrected_after_planning_is_crawled_as_corrected(tmp_path: Path) -> None:
    with Shop(products=4) as shop:
        links = [f"Ruby,http://{shop.host}{path}" for path in sorted(shop.images)]
        (tmp_path / "list.toml").write_text(
            f'kind = "links"\ntitle = "List"\nlinks = "list.csv"\nimage_hosts = ["{shop.host}"]\n'
            'contact = "me@example.org"\n[limits]\nrequests_per_second = 200\n'
        )
        site = load_site(tmp_path / "list.toml")
        for wanted in (links[:2], links[2:5], links[1:3]):
            (tmp_path / "list.csv").write_text("\n".join(["class,image_url", *wanted]))
            plan, _ = plan_site(Project(tmp_path), site)
            assert plan is not None and plan.statistics.distinct == len(wanted)
        assert crawl_site(Project(tmp_path), site).distinct == 2
        ok = {path for path, row in images(tmp_path, "list").items() if row["status"] == "ok"}
    assert ok == {link.split(shop.host)[1] for link in links[1:3]}
