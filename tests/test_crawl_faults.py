"""What a store may do wrong, and in which status and reason each ends."""

import io
import json
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from conftest import child_environment, command
from crawl_shop import Reply, Shop, photo
from PIL import Image
from test_crawl import check_files, crawl, images, summary

from scraper import governor
from scraper.crawl import crawl_site
from scraper.params import StoreParams
from scraper.site import load_site


def png_bomb(side: int) -> bytes:
    """A PNG of a few kilobytes that says it is huge."""

    def chunk(content: bytes) -> bytes:
        return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))

    header = chunk(b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT" + zlib.compress(bytes(1_000_000))) + chunk(b"IEND")


def jpeg(side: int) -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").resize((side, side)).save(out, "JPEG")
    return out.getvalue()


def moved(location: str) -> Reply:
    return Reply(302, headers={"Location": location})


PACKED = {"Content-Encoding": "gzip"}

CASES = {
    "missing": ([Reply(404)], "gone", "HTTP 404"),
    "withdrawn": ([Reply(410)], "gone", "HTTP 410"),
    "forbidden": ([Reply(403)], "refused", "HTTP 403"),
    "teapot": ([Reply(418)], "failed", "HTTP 418"),
    "down": ([Reply(503)], "failed", "HTTP 503"),
    "not-modified": ([Reply(304)], "failed", "HTTP 304"),
    "recovers": ([Reply(503), Reply(500), Reply(200, photo(1))], "ok", None),
    "cut-once": ([Reply(200, photo(2), cut=300), Reply(200, photo(2))], "ok", None),
    "cut-always": ([Reply(200, photo(3), cut=300)], "failed", "connection cut off"),
    "slow": ([Reply(200, photo(3), delay=2.5)], "failed", "timeout"),
    "truncated": ([Reply(200, jpeg(200)[:-900])], "invalid", "truncated"),
    "html": ([Reply(200, b"\n <!DOCTYPE html><p>Not here")], "invalid", "HTML instead of an image"),
    "text": ([Reply(200, b"not here")], "invalid", "no image"),
    "empty": ([Reply(200, b"")], "invalid", "empty"),
    "wrong-type": ([Reply(200, photo(4), {"Content-Type": "text/html"})], "ok", None),
    "long": ([Reply(200, bytes(120_000))], "invalid", "more than 100000 bytes"),
    "bomb": ([Reply(200, png_bomb(60_000))], "invalid", "too many pixels"),
    "large": ([Reply(200, jpeg(1100))], "invalid", "too many pixels"),
    "packed": ([Reply(200, photo(5), PACKED)], "failed", "compressed without being asked to be"),
    "moved": ([moved("/img/gp0-1.jpg")], "ok", None),
    "loop": ([moved("loop")], "failed", "too many redirects"),
    "off-site": ([moved("//evil.example/x")], "refused", "host evil.example is not allowed"),
    "inside": ([moved("//localhost:1/x")], "refused", "host localhost:1 is not allowed"),
    "nowhere": ([Reply(302)], "failed", "HTTP 302 to nowhere"),
    "disallowed": ([Reply(200, photo(6))], "refused", "robots.txt"),
    "no-ai": ([Reply(200, photo(7), {"X-Robots-Tag": "noarchive, noai"})], "refused", "X-Robots-Tag: noai"),
}  # fmt: skip


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Shop]:
    folder = tmp_path_factory.mktemp("faulty")
    with Shop(robots="User-agent: *\nDisallow: /img/disallowed\n") as shop:
        shop.extra["gp0"] = [f"/img/{name}" for name in CASES]
        shop.replies.update({f"/img/{name}": list(replies) for name, (replies, _, _) in CASES.items()})
        limits = "max_image_bytes = 100_000\nmax_image_pixels = 1_000_000"
        numbers = crawl(folder, shop, limits=limits)
        assert numbers["ended"] == "finished"
        return folder, shop


@pytest.mark.parametrize("name", CASES)
def test_every_fault_ends_in_a_status_and_the_crawl_goes_on(faulty: tuple[Path, Shop], name: str) -> None:
    folder, _ = faulty
    _, status, reason = CASES[name]
    row = images(folder)[f"/img/{name}"]
    assert (row["status"], row["reason"]) == (status, reason)
    assert (row["path"] is not None) == (status == "ok")


def test_faults_spoil_nothing_else(faulty: tuple[Path, Shop]) -> None:
    folder, shop = faulty
    check_files(folder)
    assert all(images(folder)[path]["status"] == "ok" for path in shop.photos)
    reasons = summary(folder)["by_reason"]
    again = [name for name, (_, status, _) in CASES.items() if status in ("gone", "refused", "invalid")]
    assert shop.counts["/img/disallowed"] == 0
    # One is asked for once more: it shows that the 403 is not about us.
    assert sum(shop.counts[f"/img/{name}"] > 1 for name in again) <= 1
    assert reasons["invalid: too many pixels"] == 2 and reasons["refused: robots.txt"] == 1


def test_retry_after_is_obeyed_and_a_burst_counts_once(tmp_path: Path) -> None:
    with Shop(rate=100) as shop:
        for path in ("/img/gp0-1.jpg", "/img/gp0-2.jpg", "/img/gp1-1.jpg", "/img/gp1-2.jpg"):
            shop.replies[path] = [Reply(429, headers={"Retry-After": "2"}, delay=0.3), shop._own_reply(path)]
        numbers = crawl(tmp_path, shop)
    assert numbers["turned_away"] == 4 and numbers["downloaded"] == 12
    first = next(at for at, path, _ in shop.asked if path == "/img/gp0-1.jpg")
    later = [at for at, _, _ in shop.asked if at > first + 0.29]
    assert 2.3 <= min(later) - first < 3.5, (
        "no request of any thread before the time asked for, nor long after"
    )
    assert 1.5 < numbers["waited_seconds"] < 4


def test_a_block_ends_the_crawl_is_saved_and_waited_for(tmp_path: Path) -> None:
    with Shop() as shop:
        shop.replies["/img/gp3-1.jpg"] = [Reply(429, headers={"Retry-After": "5"}), Reply(200, photo(31))]
        site = shop.site(tmp_path, limits="longest_wait_seconds = 3\nconcurrency = 1")
        done = command("gemscrape", "crawl", "--site", site, cwd=tmp_path, expect=3)
        blocked_at = time.monotonic()
        assert "turned us away (HTTP 429)" in done.stderr and "Traceback" not in done.stderr
        statuses = {row["status"] for row in images(tmp_path).values()}
        assert statuses == {"ok", "blocked"} and len(images(tmp_path)) == 12
        asked = len(shop.asked)
        command("gemscrape", "crawl", "--site", site, cwd=tmp_path)
        assert shop.asked[asked][0] - blocked_at > 4, "the rerun waits until the block ends"
        assert {row["status"] for row in images(tmp_path).values()} == {"ok"}
        assert (
            max(count for path, count in shop.counts.items() if path not in ("/robots.txt", "/img/gp3-1.jpg"))
            == 1
        )


def test_a_store_that_forbids_everything_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(governor, "_TURNED_AWAY_SECONDS", 0.02)
    with Shop() as shop:
        shop.replies = {path: [Reply(403)] for path in ["/robots.txt", "/gems"]}
        summary = crawl_site(load_site(shop.site(tmp_path)), StoreParams())
        assert summary.ended == "blocked" and "turned us away (HTTP 403)" in summary.block
        assert shop.counts["/gems"] == governor.BLOCK_AFTER


@pytest.mark.parametrize(
    ("robots", "message"),
    [
        ([Reply(200, b"User-agent: gemscrape\nDisallow: /\n")], "robots.txt"),
        ([Reply(503)], "robots.txt cannot be read: HTTP 503"),
        ([Reply(302, headers={"Location": "/robots.txt"})], "robots.txt cannot be read: too many redirects"),
    ],
)
def test_where_robots_forbids_the_start_all_ends(tmp_path: Path, robots: list[Reply], message: str) -> None:
    with Shop() as shop:
        shop.replies["/robots.txt"] = robots
        done = command("gemscrape", "crawl", "--site", shop.site(tmp_path), cwd=tmp_path, expect=2)
        assert message in done.stderr
        assert set(shop.counts) == {"/robots.txt"}


@pytest.mark.parametrize(
    "robots", [Reply(404), Reply(403), Reply(200, b""), Reply(200, b"<html>Welcome</html>")]
)
def test_no_robots_file_forbids_nothing(tmp_path: Path, robots: Reply) -> None:
    with Shop() as shop:
        shop.replies["/robots.txt"] = [robots]
        assert crawl(tmp_path, shop)["downloaded"] == 12


def test_one_url_that_is_always_turned_away_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(governor, "_TURNED_AWAY_SECONDS", 0.0)
    with Shop(products=30) as shop:
        shop.replies["/img/gp0-1.jpg"] = [Reply(429)]
        crawl(tmp_path, shop)
        assert images(tmp_path)["/img/gp0-1.jpg"]["reason"] == "HTTP 429"
        assert sum(row["status"] == "ok" for row in images(tmp_path).values()) == 59


def test_crawl_delay_is_a_floor(tmp_path: Path) -> None:
    with Shop(products=2, robots="User-agent: *\nCrawl-delay: 0.25\n") as shop:
        crawl(tmp_path, shop)
        times = [at for at, _, _ in shop.asked]
        assert (times[-1] - times[0]) / (len(times) - 1) > 0.24


def test_an_endless_pagination_ends(tmp_path: Path) -> None:
    page = b'<a class="product" href="/p/gp0">x</a><a rel="next" href="/c/ruby/%d?sid=%d">next</a>'
    with Shop() as shop:
        for n in range(1, 50):
            shop.replies[f"/c/ruby/{n}"] = [Reply(200, page % (n + 1, n))]
        crawl(tmp_path, shop)
        assert shop.counts["/c/ruby/2"] == 1 and "/c/ruby/3" not in shop.counts
        fresh = b'<a class="product" href="/p/gp%d">x</a><a rel="next" href="/c/ruby/%d">next</a>'
        for n in range(1, 50):
            shop.replies[f"/c/ruby/{n}"] = [Reply(200, fresh % (n, n + 1))]
        numbers = crawl(tmp_path, shop, limits="max_category_pages = 7")
        assert shop.counts["/c/ruby/7"] == 1 and "/c/ruby/8" not in shop.counts
        assert "stopped at 7 pages" in numbers["notes"][0]


def test_a_failed_page_keeps_what_it_said_before(tmp_path: Path) -> None:
    with Shop() as shop:
        crawl(tmp_path, shop)
        shop.replies["/p/gp1"] = [Reply(500)]
        shop.replies["/c/ruby/2"] = [Reply(500)]
        numbers = crawl(tmp_path, shop)
        assert {row["status"] for row in images(tmp_path).values()} == {"ok"}
        assert numbers["pages_by_reason"] == {"failed: HTTP 500": 2}


def test_a_category_that_is_gone_lists_nothing(tmp_path: Path) -> None:
    with Shop() as shop:
        crawl(tmp_path, shop)
        shop.replies["/c/ruby/1"] = [Reply(404)]
        crawl(tmp_path, shop)
        gone = {path for path, row in images(tmp_path).items() if row["status"] == "gone"}
        assert gone == {path for path in shop.photos if path[7] in "135"}


def test_an_unread_page_makes_nothing_gone(tmp_path: Path) -> None:
    with Shop() as shop:
        crawl(tmp_path, shop)
        for path in (tmp_path / ".cache/crawl").glob("shop.sqlite*"):
            path.unlink()
        shop.replies["/p/gp1"] = [Reply(500)]
        crawl(tmp_path, shop)
        assert {row["status"] for row in images(tmp_path).values()} == {"ok"}


@pytest.mark.parametrize(
    ("page", "message"), [("/gems", "No category"), ("/c/ruby/1", "No product"), ("/p/gp0", "No image")]
)
def test_a_store_that_has_changed_says_which_selector_to_correct(
    tmp_path: Path, page: str, message: str
) -> None:
    with Shop(products=1) as shop:
        for path in (page, page.replace("ruby", "red")):
            shop.replies[path] = [Reply(200, b"<p>We have a new design!</p>")]
        done = command("gemscrape", "crawl", "--site", shop.site(tmp_path), cwd=tmp_path, expect=2)
        assert done.stderr.startswith(f"error: {message}") and done.stderr.count("\n") == 1
        shop.replies.clear()
        crawl(tmp_path, shop)
        for path in (page, page.replace("ruby", "red")):
            shop.replies[path] = [Reply(200, b"<p>We have a new design!</p>")]
        command("gemscrape", "crawl", "--site", "shop.toml", cwd=tmp_path, expect=2)
        assert {row["status"] for row in images(tmp_path).values()} == {"ok"}, "not taken for gone"


def test_a_store_that_cannot_be_reached(tmp_path: Path) -> None:
    with Shop() as shop:
        site = shop.site(tmp_path)
    done = command("gemscrape", "crawl", "--site", site, cwd=tmp_path, expect=2)
    assert "no connection" in done.stderr and shop.host in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("place", ["data", ".cache"])
def test_a_folder_that_cannot_be_written(tmp_path: Path, place: str) -> None:
    (tmp_path / place).symlink_to("/sys")  # refuses root too
    with Shop() as shop:
        done = command("gemscrape", "crawl", "--site", shop.site(tmp_path), cwd=tmp_path, expect=2)
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    with Shop(products=12) as shop:
        site = shop.site(tmp_path)
        shop.photos["/img/gp0-2.jpg"] = jpeg(1600)
        # A limit on the size of files stands in for a full disk: the write is refused in the same place.
        script = (
            "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, -1));"
            "from scraper.cli import main; main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, "crawl", "--site", site],
            cwd=tmp_path, env=child_environment(), capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 2 and done.stderr.startswith("error: Cannot write"), done.stderr
        assert "Traceback" not in done.stderr
        crawl(tmp_path, shop)
        assert len(images(tmp_path)) == 24
        check_files(tmp_path)
        assert json.loads((tmp_path / ".cache/crawl/shop.summary.json").read_text())["ended"] == "finished"
