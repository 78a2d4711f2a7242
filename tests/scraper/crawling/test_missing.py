"""What could not be fetched is said, by category and reason, and by the exit code."""

from pathlib import Path

import pytest

from benchmarks.crawling._broken_shop import BrokenShop, Damage, serve
from tests.helpers.broken_crawls import crawl, stored
from tests.helpers.commands import called
from tests.helpers.crawl_results import summary
from tests.helpers.crawl_shop import Reply, Shop
from tests.helpers.slow import others_slow


def run(folder: Path, shop: Shop, expect: int | None = None) -> tuple[int, str]:
    """The exit code and the output of one crawl."""
    site = shop.site(folder, "longest_wait_seconds = 30")
    done = called("gemscrape", "crawl", "--site", site, cwd=folder, expect=expect)
    return done.returncode, done.stdout + done.stderr


def test_a_category_that_could_not_be_read(tmp_path: Path, shop: Shop) -> None:
    shop.replies["/c/red/1"] = [Reply(500)]
    _, output = run(tmp_path, shop, expect=4)
    line = next(line for line in output.splitlines() if "Red stones" in line)
    assert "HTTP 500" in line
    assert stored(tmp_path) == set(shop.images), "all are shown in the other category too"
    shop.replies.clear()
    run(tmp_path, shop, expect=0)


def test_a_later_page_of_a_category_that_could_not_be_read(tmp_path: Path, shop: Shop) -> None:
    shop.replies["/c/ruby/2"] = [Reply(500)]
    _, output = run(tmp_path, shop, expect=4)
    assert any("Ruby" in line and "HTTP 500" in line for line in output.splitlines())
    shop.replies.clear()
    run(tmp_path, shop, expect=0)
    assert stored(tmp_path) == set(shop.images)


@pytest.mark.parametrize("status", others_slow([403, 500, 503], 500))
@pytest.mark.parametrize("role", ["start", "category", "product"])
def test_unread_pages_are_not_blamed_on_the_site_file(
    tmp_path: Path, role: str, status: int, short_backoff: None
) -> None:
    with Shop(products=2) as shop:
        paths = {
            "start": ["/gems"],
            "category": ["/c/ruby/1", "/c/red/1"],
            "product": ["/p/gp0", "/p/gp1"],
        }
        shop.replies = {path: [Reply(status)] for path in paths[role]}
        code, output = run(tmp_path, shop)
        assert code in (2, 3, 4) and "Traceback" not in output
        assert f"HTTP {status}" in output
        assert "correct '" not in output
        shop.replies.clear()


def test_product_pages_that_could_not_be_read(tmp_path: Path, shop: Shop) -> None:
    shop.replies = {f"/p/gp{number}": [Reply(500)] for number in (1, 3, 5)}
    _, output = run(tmp_path, shop, expect=4)
    assert any("Ruby" in line and "HTTP 500" in line for line in output.splitlines())
    shop.replies.clear()
    run(tmp_path, shop, expect=0)
    assert stored(tmp_path) == set(shop.images)


def test_missing_images_are_counted_by_category_and_reason(tmp_path: Path, shop: Shop) -> None:
    shop.replies = {"/img/gp1-1.jpg": [Reply(500)], "/img/gp0-1.jpg": [Reply(500)]}
    _, output = run(tmp_path, shop, expect=4)
    assert any("Ruby" in line and "HTTP 500" in line for line in output.splitlines())
    assert any("Red stones" in line and "HTTP 500" in line for line in output.splitlines())


@pytest.mark.parametrize(("units", "broken", "code"), [(100, 1, 0), (100, 2, 4)])
def test_one_percent_may_be_missing(tmp_path: Path, units: int, broken: int, code: int) -> None:
    with serve(BrokenShop(units, Damage("500", broken, position="spread"))) as served:
        done = crawl(tmp_path, served, expect=code)
        assert stored(tmp_path) == served.shop.good
    assert "HTTP 500" in done.stdout + done.stderr


def test_the_share_that_may_be_missing_is_a_parameter(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("crawl:\n  shop:\n    missing: 0.5\n")
    with serve(BrokenShop(8, Damage("500", 3))) as served:
        crawl(tmp_path, served, expect=0)


def test_what_the_shop_no_longer_has_is_not_missing(tmp_path: Path, shop: Shop) -> None:
    shop.replies = {path: [Reply(404)] for path in list(shop.images)[:5]}
    run(tmp_path, shop, expect=0)


@pytest.mark.parametrize("blocked", ["/img/gp3-1.jpg", "/p/gp3", "/c/red/1"])
def test_a_blocked_crawl_says_what_is_missing(tmp_path: Path, shop: Shop, blocked: str) -> None:
    """A block while pages are read, too: what they list is unknown."""
    shop.replies[blocked] = [Reply(429, headers={"Retry-After": "5000"})]
    _, output = run(tmp_path, shop, expect=3)
    report = summary(tmp_path)
    assert report["ended"] == "blocked" and report["missing"]["images"] > 0
    assert "Ruby: " in output and "HTTP 429" in str(report["missing"]["classes"])
