"""What real servers and shops do that a strict crawler could mistake for faults."""

import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.crawling._broken_shop import BrokenShop, serve
from tests.helpers.broken_crawls import crawl as crawl_broken
from tests.helpers.broken_crawls import stored
from tests.helpers.commands import called, started
from tests.helpers.crawl_results import images, summary
from tests.helpers.crawl_shop import Reply, Shop, jpeg
from tests.helpers.slow import others_slow


def crawl(folder: Path, shop: Shop, key: str = "", expect: int | None = 0, limits: str = "") -> str:
    """Crawl the shop, with one more key in its site file; returns the output."""
    site = folder / shop.site(folder, limits)
    site.write_text(f"{key}\n{site.read_text()}")
    done = called("gemscrape", "crawl", "--site", site.name, cwd=folder, expect=expect)
    return done.stdout + done.stderr


HARMLESS = {
    "encoding of characters": {"Content-Encoding": "UTF-8"},
    "encoding of a bucket": {"Content-Encoding": "aws-chunked"},
    "no encoding": {"Content-Encoding": ""},
    "a space in a header's name": {"X-Powered By": "x"},
}


@pytest.mark.parametrize("oddity", HARMLESS)
def test_harmless_headers(tmp_path: Path, oddity: str) -> None:
    with Shop(products=4) as shop:
        for path in shop.images:
            shop.replies[path] = [Reply(200, shop.images[path], HARMLESS[oddity])]
        for path in ("/gems", "/c/ruby/1", "/p/gp1"):
            shop.replies[path] = [Reply(200, shop._page(path) or b"", HARMLESS[oddity])]
        crawl(tmp_path, shop)
        assert stored(tmp_path) == set(shop.images)
        assert max(shop.image_requests().values()) == 1
    assert summary(tmp_path)["failures"] == 0


def test_retry_after_with_decimals_is_rounded_up(tmp_path: Path) -> None:
    path = "/img/gp0-1.jpg"
    with Shop(products=2) as shop:
        shop.replies[path] = [Reply(429, headers={"Retry-After": "1.4"}), Reply(200, jpeg(1))]
        crawl(tmp_path, shop)
        first, second = (at for at, asked, _ in shop.requests if asked == path)
    assert second - first >= 2


@pytest.mark.parametrize("start_of_file", [b"", b"\xef\xbb\xbf"])
def test_a_robots_txt_that_is_larger_than_a_page_may_be(tmp_path: Path, start_of_file: bytes) -> None:
    rules = start_of_file + b"User-agent: *\nDisallow: /img/gp0\n" + b"# a stone\n" * 60_000
    with Shop() as shop:
        shop.replies["/robots.txt"] = [Reply(200, rules + b"User-agent: *\nDisallow: /\n")]
        crawl(tmp_path, shop, limits="max_page_bytes = 100_000")
        assert stored(tmp_path) == {path for path in shop.images if not path.startswith("/img/gp0")}


class _Gatekeeper(Shop):
    """Its images are only for who names the page, or shows the cookie that the page gave."""

    def __init__(self, header: str, wanted: str):
        super().__init__()
        self.header, self.wanted = header, wanted

    def _own_reply(self, path: str) -> Reply:
        reply = super()._own_reply(path)
        if path.startswith("/p/"):
            reply.headers["Set-Cookie"] = "visit=7; Path=/"
        return reply

    def _reply(self, path: str, headers: dict[str, str]) -> Reply:
        reply = super()._reply(path, headers)
        allowed = self.wanted in headers.get(self.header, "")
        return reply if allowed or not path.startswith("/img/") else Reply(403)


@pytest.mark.parametrize(
    ("key", "header", "wanted"),
    [('referer = "page"', "referer", "/p/gp"), ("cookies = true", "cookie", "visit=7")],
)
def test_images_for_visitors_of_the_page(tmp_path: Path, key: str, header: str, wanted: str) -> None:
    with _Gatekeeper(header, wanted) as shop:
        crawl(tmp_path, shop, key)
        assert stored(tmp_path) == set(shop.images)


def test_neither_referer_nor_cookies_are_sent_unless_asked_for(tmp_path: Path) -> None:
    with _Gatekeeper("host", "127.0.0.1") as shop:
        crawl(tmp_path, shop)
        assert stored(tmp_path) == set(shop.images)
        assert not [path for _, path, headers in shop.requests if {"referer", "cookie"} & headers.keys()]


@pytest.mark.parametrize(
    "path", others_slow(["/robots.txt", "/gems", "/c/ruby/1", "/p/gp1"], "/robots.txt", "/p/gp1")
)
def test_headers_one_byte_a_second(tmp_path: Path, path: str) -> None:
    with serve(BrokenShop(4)) as served:
        slow = [step for byte in b"HTTP/1.1 200 OK\r\n" * 3 for step in (bytes([byte]), 1.0)]
        whole = served.pages.answer
        broken = {"/c/ruby/1": "/c/0", "/p/gp1": "/p/0"}.get(path, path)
        served.pages.answer = lambda asked: slow if asked == broken else whole(asked)
        begin = time.monotonic()
        done = crawl_broken(tmp_path, served, "html", expect=None)
        assert time.monotonic() - begin < 40
    assert done.returncode in (2, 3, 4)
    assert "timeout" in done.stdout + done.stderr


def test_a_title_of_spaces_holds_nothing_up(tmp_path: Path) -> None:
    """Also Ctrl-C ends the crawl soon while such a page is read."""
    page = b"<title>" + b" " * 1_000_000
    with Shop(products=8, rate=50) as shop:
        shop.replies = {f"/p/gp{n}": [Reply(200, page + (shop._page(f"/p/gp{n}") or b""))] for n in range(4)}
        site = shop.site(tmp_path)
        with started("gemscrape", "crawl", "--site", site, cwd=tmp_path) as process:
            deadline = time.monotonic() + 60
            while "/p/gp0" not in shop.counts and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)
            assert process.returncode in (0, 130)
        crawl(tmp_path, shop)
        assert {path for path in shop.images if path[7] in "4567"} <= stored(tmp_path)


def test_the_address_that_was_checked_is_the_one_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short_pauses: None
) -> None:
    resolve, connect = socket.getaddrinfo, socket.socket.connect
    public, answers = "93.184.216.34", [0]

    def rebinding(host: Any, *arguments: Any, **options: Any) -> Any:
        if host in ("cdn.shop.test", b"cdn.shop.test"):
            answers[0] += 1
            host = public if answers[0] % 2 else "127.0.0.1"
        return resolve(host, *arguments, **options)

    def only_loopback(self: socket.socket, address: Any) -> None:
        if address[0] != "127.0.0.1":
            raise ConnectionRefusedError
        connect(self, address)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket.socket, "connect", only_loopback)
    with serve(BrokenShop(6)) as served:
        port = served.cdn.server_address[1]
        served.shop.cdns = [f"*.shop.test:{port}"]
        site = tmp_path / "shop.toml"
        crawl_broken(tmp_path, served, expect=None)
        (tmp_path / "links.csv").write_text((tmp_path / "links.csv").read_text().replace("*.", "cdn."))
        called("gemscrape", "crawl", "--site", site.name, cwd=tmp_path, expect=None)
        assert answers[0] > 0 and not served.cdn.log, "the private address was asked"


@pytest.mark.parametrize("rel", ['rel="next"', ""])
def test_a_next_link_that_also_matches_the_previous_page(tmp_path: Path, rel: str) -> None:
    with Shop(products=12) as shop:
        site = tmp_path / shop.site(tmp_path)
        site.write_text(site.read_text().replace('"a[rel=next]"', '"a.page"'))
        for number in range(1, 5):
            products = "".join(
                f'<a class="product" href="/p/gp{n}">x</a>' for n in range(12)[number * 3 - 3 :][:3]
            )
            before = f'<a class="page" href="{number - 1}">«</a>' if number > 1 else ""
            after = f'<a class="page" {rel} href="{number + 1}">»</a>' if number < 4 else ""
            shop.replies[f"/c/ruby/{number}"] = [Reply(200, (products + before + after).encode())]
        shop.replies["/c/red/1"] = [Reply(200, b'<a class="product" href="/p/gp0">x</a>')]
        done = called("gemscrape", "crawl", "--site", site.name, cwd=tmp_path, expect=None)
        if rel:
            assert stored(tmp_path) == set(shop.images)
        elif stored(tmp_path) != set(shop.images):
            assert "/c/ruby/" in done.stdout + done.stderr, "the loop is said"


def test_a_link_of_megabytes_is_refused(tmp_path: Path) -> None:
    with Shop(products=2) as shop:
        shop.extra["gp0"] = ["/img/" + "x" * 4_000_000 + ".jpg"]
        crawl(tmp_path, shop, expect=None)
        assert stored(tmp_path) == set(shop.images)
        assert all(len(path) < 100_000 for path in images(tmp_path))
    size = sum(file.stat().st_size for file in (tmp_path / ".cache/crawl").glob("shop.sqlite*"))
    assert size < 2_000_000
