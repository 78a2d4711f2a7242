"""`gemscrape crawl` against the demo store and a shop that counts its requests."""

import hashlib
import json
import signal
import time
from importlib.metadata import version
from pathlib import Path

from gemkit.tables import read_table
from scraper.tables import PRODUCTS, ImageStatus
from tests.helpers.commands import called, signal_when, start
from tests.helpers.crawl_results import check_files, crawl, images, summary
from tests.helpers.crawl_shop import Reply, Shop, jpeg
from tests.helpers.project import SCALE, SEED


def test_the_demo_store_is_crawled_according_to_its_ground_truth(crawled: Path) -> None:
    from scraper.demo_store.catalogue import build

    catalogue = build(SEED, SCALE)
    rows = images(crawled, "demo")
    check_files(crawled, "demo")
    assert {row["status"] for row in rows.values()} <= set(ImageStatus)
    kinds = {photo.path: photo.kind for photo in catalogue.photos}
    missing = {path for path, row in rows.items() if row["status"] == "gone"}
    assert missing == {path for path in rows if kinds[path] == "missing"} and missing
    invalid = {path for path, row in rows.items() if row["status"] == "invalid"}
    assert {path for path in rows if kinds[path] == "html"} <= invalid
    assert {path for path in rows if path.startswith("/media/wholesale")} == {
        path for path, row in rows.items() if row["status"] == "refused"
    }
    good = {path for path, row in rows.items() if row["status"] == "ok"}
    assert {path for path in rows if kinds[path] in ("stone", "certificate", "hand")} <= good
    products = read_table(crawled / "data/raw/demo/products.parquet", PRODUCTS).to_pylist()
    assert len({row["product_id"] for row in products}) == len(catalogue.products)
    assert all(json.loads(row["attributes"]) and row["title"] for row in products)


def test_the_demo_store_is_crawled_at_the_rate_it_allows(crawled: Path) -> None:
    counts = summary(crawled, "demo")
    assert counts["rejections"] == 0
    for host in counts["hosts"].values():
        # A crawl this short ends with a second's wait for the last retries; test_rate_limiter asserts 95 %.
        seconds_sending = host["requests"] / host["rate_held"] - host["waited_seconds"]
        assert host["requests"] / seconds_sending >= 0.5 * host["rate_allowed"]
        assert host["rate_held"] <= 1.05 * host["rate_allowed"]


def test_a_new_store_is_one_toml_file(tmp_path: Path, shop: Shop) -> None:
    counts = crawl(tmp_path, shop)
    rows = images(tmp_path)
    assert set(rows) == set(shop.images) and {row["status"] for row in rows.values()} == {"ok"}
    assert rows["/img/gp2-1.jpg"]["store_classes"] == ["Red stones", "Ruby"]
    assert rows["/img/gp1-1.jpg"]["store_classes"] == ["Ruby"]
    assert rows["/img/gp1-1.jpg"]["product_ids"] == ["gp1"]
    assert rows["/img/gp1-1.jpg"]["file_name"] == "gp1-1.jpg"
    assert rows["/img/gp1-1.jpg"]["content_type"] == "image/jpeg"
    assert (rows["/img/gp1-1.jpg"]["width"], rows["/img/gp1-1.jpg"]["height"]) == (48, 48)
    products = read_table(tmp_path / "data/raw/shop/products.parquet", PRODUCTS).to_pylist()
    assert [(row["product_id"], row["store_class"]) for row in products[:3]] == [
        ("gp0", "Red stones"), ("gp0", "Ruby"), ("gp1", "Ruby"),
    ]  # fmt: skip
    assert products[0]["title"] == "Stone gp0 ✨" and json.loads(products[0]["attributes"]) == {"Cut": "oval"}
    assert max(shop.counts.values()) == 1
    assert (counts["found"], counts["distinct"], counts["downloaded"]) == (12, 12, 12)
    agent = f"gemscrape/{version('gemscrape')} (+me@example.org)"
    assert {headers["user-agent"] for _, _, headers in shop.requests} == {agent}
    encodings = {headers["accept-encoding"] for _, path, headers in shop.requests if path.startswith("/img")}
    assert encodings == {"identity"}
    check_files(tmp_path)


def test_images_may_come_from_json_ld_alone(tmp_path: Path, shop: Shop) -> None:
    shop.gallery = False
    crawl(tmp_path, shop)
    assert set(images(tmp_path)) == set(shop.images)


def test_a_second_crawl_downloads_nothing_again(tmp_path: Path, shop: Shop) -> None:
    shop.replies["/img/gp0-1.jpg"] = [Reply(200, b"\x00no photo", {"ETag": '"x"'}), Reply(304)]
    crawl(tmp_path, shop)
    before = images(tmp_path)
    shop.requests.clear()
    counts = crawl(tmp_path, shop)
    assert (counts["downloaded"], counts["unchanged"], counts["pages"]) == (0, 11, 0)
    assert all("if-none-match" in headers for _, path, headers in shop.requests if path != "/robots.txt")
    assert images(tmp_path) == before


def test_without_validators_a_stored_image_is_not_requested_again(tmp_path: Path) -> None:
    with Shop(validators=False) as shop:
        crawl(tmp_path, shop)
        crawl(tmp_path, shop)
        assert max(shop.image_requests().values()) == 1


def test_new_changed_and_gone_images_are_reported(tmp_path: Path, shop: Shop) -> None:
    crawl(tmp_path, shop)
    old = images(tmp_path)
    shop.images["/img/gp0-1.jpg"] = jpeg(99)
    shop.images["/img/gp0-3.jpg"] = jpeg(98)
    del shop.images["/img/gp1-1.jpg"]
    shop.replies["/img/gp1-2.jpg"] = [Reply(404)]
    shop.replies["/img/gp2-1.jpg"] = [Reply(500)]
    counts = crawl(tmp_path, shop)
    rows = images(tmp_path)
    assert (counts["added"], counts["changed"], counts["gone"]) == (1, 1, 2)
    assert counts["images"] == {"gone": 2, "ok": 11}
    assert rows["/img/gp0-1.jpg"]["sha256"] == hashlib.sha256(jpeg(99)).hexdigest()
    for path, reason in (("/img/gp1-1.jpg", "no longer listed"), ("/img/gp1-2.jpg", "HTTP 404")):
        assert (rows[path]["status"], rows[path]["reason"]) == ("gone", reason)
        assert rows[path]["gone_at"] and rows[path]["store_classes"] == ["Ruby"]
        assert (tmp_path / "data/raw/shop" / rows[path]["path"]).exists()
    assert rows["/img/gp2-1.jpg"] == old["/img/gp2-1.jpg"], "a temporary failure does not lose a stored image"
    shop.replies.clear()
    shop.images["/img/gp1-1.jpg"] = jpeg(11)
    crawl(tmp_path, shop)
    assert images(tmp_path)["/img/gp1-1.jpg"]["status"] == "ok"
    assert images(tmp_path)["/img/gp1-1.jpg"]["gone_at"] is None
    check_files(tmp_path)


def test_a_corrected_site_file_is_used_in_the_middle_of_a_crawl(tmp_path: Path) -> None:
    with Shop(products=12, rate=30) as shop:
        shop.site(tmp_path)
        site = (tmp_path / "shop.toml").read_text()
        (tmp_path / "shop.toml").write_text(site.replace("'/p/(gp\\d+)'", "'/(p)/'"))
        process = start("gemscrape", "crawl", "--site", "shop.toml", cwd=tmp_path)
        signal_when(process, lambda: "/p/gp3" in shop.counts, signal.SIGINT)
        crawl(tmp_path, shop)
        assert images(tmp_path)["/img/gp0-1.jpg"]["product_ids"] == ["gp0"]


def test_one_crawl_of_a_site_at_a_time(tmp_path: Path) -> None:
    with Shop(products=15, rate=20) as shop:
        site = shop.site(tmp_path)
        process = start("gemscrape", "crawl", "--site", site, cwd=tmp_path)
        while len(shop.requests) < 3 and process.poll() is None:
            time.sleep(0.02)
        assert "already" in called("gemscrape", "crawl", "--site", site, cwd=tmp_path, expect=2).stderr
        process.kill()
        process.communicate()


def test_untrusted_text_reaches_no_path(tmp_path: Path, shop: Shop) -> None:
    evil = "/img/..%2f..%2fetc%2fpasswd%00<b>.jpg"
    shop.extra["gp0"] = [evil, "/img/‮gpj.exe", "file:///etc/passwd", "//evil.example/x.jpg"]
    for path in list(shop.extra["gp0"][:1]):
        shop.replies[path.replace("<b>", "%3Cb%3E").replace("%2f", "%2F")] = [Reply(200, jpeg(77))]
    crawl(tmp_path, shop)
    check_files(tmp_path)
    rows = images(tmp_path)
    refused = [row for row in rows.values() if row["status"] == "refused"]
    assert [row["reason"] for row in refused] == ["host evil.example is not allowed"]
    assert not any("passwd" in str(path) for path in tmp_path.rglob("*"))
