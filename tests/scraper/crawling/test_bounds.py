"""What a shop can send is bounded, and what goes beyond a bound concerns its URL alone."""

from pathlib import Path

import pytest

from benchmarks.crawling._broken_shop import BrokenShop, serve
from benchmarks.crawling._faulty_host import Answer, http
from tests.helpers.broken_crawls import crawl as crawl_broken
from tests.helpers.broken_crawls import stored
from tests.helpers.commands import called
from tests.helpers.crawl_results import images, summary
from tests.helpers.crawl_shop import Reply, Shop


def crawl(folder: Path, shop: Shop, key: str = "", expect: int | None = 0) -> str:
    """Crawl the shop, with one more key in its site file; returns the output."""
    site = folder / shop.site(folder)
    site.write_text(f"{key}\n{site.read_text()}")
    done = called("gemscrape", "crawl", "--site", site.name, cwd=folder, expect=expect)
    return done.stdout + done.stderr


@pytest.mark.parametrize("home", ["/", "/gems"])
def test_a_product_page_that_leads_home_is_gone(tmp_path: Path, shop: Shop, home: str) -> None:
    banner = b'<a class="class" href="/c/ruby/1">Ruby</a><img src="/img/banner.jpg">'
    shop.replies = {"/": [Reply(200, banner)], "/gems": [Reply(200, banner)]}
    shop.replies["/p/gp3"] = [Reply(302, headers={"Location": home})]
    crawl(tmp_path, shop)
    assert "/img/banner.jpg" not in images(tmp_path)
    assert stored(tmp_path) == {path for path in shop.images if not path.startswith("/img/gp3")}
    assert any(outcome.startswith("gone") for outcome in summary(tmp_path)["pages_by_reason"])


HEADS = {
    "a long line": {"X-Long": "x" * 1_000_000},
    "many lines": {f"X-{number}": "x" for number in range(10_000)},
    "a long type": {"Content-Type": "image/jpeg;" + "x" * 100_000},
}


@pytest.mark.parametrize("head", HEADS)
def test_heads_without_end_concern_their_url_alone(tmp_path: Path, head: str) -> None:
    with Shop() as shop:
        broken = list(shop.images)[:7]  # more in a row than would end a crawl
        for path in broken:
            shop.replies[path] = [Reply(200, shop.images[path], HEADS[head])]
        crawl(tmp_path, shop, expect=None)
        assert set(shop.images) - set(broken) <= stored(tmp_path)
    assert summary(tmp_path)["ended"] != "blocked"


def test_cookies_are_bounded(tmp_path: Path) -> None:
    with Shop() as shop:
        for number in range(shop.products):
            page = f"/p/gp{number}"
            cookie = {"Set-Cookie": f"visit{number}={'x' * 4000}; Path=/"}
            shop.replies[page] = [Reply(200, shop._page(page) or b"", cookie)]
        crawl(tmp_path, shop, "cookies = true")
        assert stored(tmp_path) == set(shop.images)
        # nginx and Apache refuse a longer line.
        assert max(len(headers.get("cookie", "")) for _, _, headers in shop.requests) <= 8_190


def test_redirects_share_one_deadline(tmp_path: Path) -> None:
    with serve(BrokenShop(8)) as served:
        whole = served.cdn.answer

        def answer(path: str) -> Answer:
            if path == served.shop.images[0]:
                path = "/hop/0"
            if not path.startswith("/hop/"):
                return whole(path)
            return [0.2, http(status=302, Location=f"/hop/{int(path[5:]) + 1}")]

        served.cdn.answer = answer
        crawl_broken(tmp_path, served, expect=4)
        # Within half a second there is time for the third request, but not for its answer.
        assert served.cdn.counts["/hop/2"] and not served.cdn.counts["/hop/3"]
        assert stored(tmp_path) == set(served.shop.images[1:])


@pytest.mark.parametrize("name", ["robots", "gemscrape"])
@pytest.mark.parametrize("directive", ["noai", "noimageai", "noimageindex"])
def test_a_page_may_say_no_for_its_images(tmp_path: Path, name: str, directive: str) -> None:
    with Shop(products=2) as shop:
        refusal = f'<meta name="{name}" content="max-snippet:-1, {directive}">'.encode()
        shop.replies["/p/gp1"] = [Reply(200, refusal + (shop._page("/p/gp1") or b""))]
        crawl(tmp_path, shop, expect=None)
        assert not [path for path in shop.image_requests() if path.startswith("/img/gp1")]
        assert stored(tmp_path) == {path for path in shop.images if path.startswith("/img/gp0")}
