"""Faults over a whole crawl: blocks, pauses, pages that appear and disappear, a full disk.

Faults of single images, pages and hosts are in `test_faults`.
"""

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.crawling._broken_shop import BrokenShop, serve
from benchmarks.crawling._faulty_host import Answer, http
from gemkit.errors import EXIT_BAD_INPUT, UserError
from gemkit.project import Project
from scraper.crawling.crawl import crawl as crawl_site
from scraper.crawling.discovery import StoreUnreadable
from scraper.http import rate_limiter
from scraper.stores.config import load_site
from tests.helpers import broken_crawls
from tests.helpers.broken_crawls import LIMITS
from tests.helpers.commands import called, child_environment
from tests.helpers.crawl_results import check_files, crawl, crawl_counts, images
from tests.helpers.crawl_shop import Reply, Shop, jpeg


def test_a_block_ends_the_crawl_and_the_next_crawl_waits_for_its_end(tmp_path: Path) -> None:
    with serve(BrokenShop(12)) as served:
        whole, blocked_at = served.cdn.answer, list[float]()

        def answer(path: str) -> Answer:
            if not blocked_at and len(served.cdn.log) == 7:
                blocked_at.append(time.monotonic())
            blocked = blocked_at and time.monotonic() < blocked_at[0] + 3
            return [http(status=429, Retry_After="3")] if blocked else whole(path)

        served.cdn.answer = answer
        limits = f"{LIMITS}\nconcurrency = 1".replace("longest_wait_seconds = 30", "longest_wait_seconds = 2")
        done = broken_crawls.crawl(tmp_path, served, limits=limits, expect=3)
        assert "blocked us (HTTP 429)" in done.stderr and "Traceback" not in done.stderr
        statuses = {row["status"] for row in images(tmp_path).values()}
        assert "blocked" in statuses <= {"ok", "blocked"} and len(images(tmp_path)) == 12
        before = len(served.cdn.log)
        broken_crawls.crawl(tmp_path, served, limits=limits, expect=0)
        assert served.cdn.log[before].at >= blocked_at[0] + 3, "the rerun waits until the block ends"
        assert broken_crawls.stored(tmp_path) == set(served.shop.images)


@pytest.mark.parametrize("robots", [Reply(403), Reply(200, b"User-agent: *\nDisallow: /private/\n")])
def test_a_store_that_forbids_everything_blocks(
    tmp_path: Path, short_backoff: None, short_pauses: None, robots: Reply
) -> None:
    with Shop() as shop:
        shop.replies = {"/robots.txt": [robots], "/gems": [Reply(403)]}
        summary = crawl_site(Project(tmp_path), load_site(tmp_path / shop.site(tmp_path)))
        assert summary.ended == "blocked" and "blocked us (HTTP 403)" in summary.block
        # The first ones are asked for again at once: a limiter would serve some of them.
        assert rate_limiter.BLOCK_AFTER < shop.counts["/gems"] < 2 * rate_limiter.BLOCK_AFTER


def test_images_that_ask_for_too_long_a_wait_are_left_to_the_next_crawl(tmp_path: Path) -> None:
    with Shop() as shop:
        shop.replies = {path: [Reply(503, headers={"Retry-After": "30"})] for path in shop.images}
        site = load_site(tmp_path / shop.site(tmp_path, "longest_wait_seconds = 3"))
        summary = crawl_site(Project(tmp_path), site)
        assert summary.ended == "incomplete", "its pages are served: the trouble is that of the images"
        assert max(shop.image_requests().values()) == 1, "none is requested earlier than the host asked"


#: Responses that cannot be used: a second length that contradicts the first one, an unasked compression.
MALFORMED = Reply(200, headers={"Content-Length": "9"})
UNDECODABLE = Reply(200, b"stone", headers={"Content-Encoding": "br"})

#: Header lines that servers send, and that are no reason to lose a picture.
ODD_HEADERS = [
    {"Content-Encoding": "UTF-8"},
    {"Content-Encoding": "aws-chunked"},
    {"Content-Encoding": ""},
    {"Content-Encoding": "gzip"},
    {"X-Powered By": "x"},
    {"Content-Length ": ""},
    {"Transfer-Encoding": "identity"},
    {f"X-{n}": "x" for n in range(300)},
    {"": "x"},
    {"X-Note": "R\xfcbin \x01"},
]


def test_malformed_responses_concern_their_urls_alone(tmp_path: Path) -> None:
    with Shop(products=rate_limiter.DOWN_AFTER) as shop:
        broken = [path for path in shop.images if path.endswith("-2.jpg")]
        shop.replies = {path: [MALFORMED] for path in broken}
        counts = crawl(tmp_path, shop)
        assert (counts["ended"], counts["failures"]) == ("incomplete", 0)
        assert counts["by_reason"] == {"failed: malformed response": len(broken)}
        assert all(shop.counts[path] == 1 for path in broken)


@pytest.mark.parametrize(("reply", "kind"), [(MALFORMED, "malformed"), (UNDECODABLE, "content_encoding")])
def test_a_host_whose_every_image_is_unusable_does_not_block(tmp_path: Path, reply: Reply, kind: str) -> None:
    with Shop(products=rate_limiter.DOWN_AFTER) as shop:
        shop.replies = {path: [reply] for path in shop.images}
        counts = crawl(tmp_path, shop)
        assert max(shop.image_requests().values()) == 1
    assert (counts["ended"], counts["failures"]) == ("incomplete", 0)
    assert {row["reason_kind"] for row in images(tmp_path).values()} == {kind}


def test_odd_headers_cost_no_picture_and_no_page(tmp_path: Path) -> None:
    with Shop(products=len(ODD_HEADERS)) as shop:
        for n, odd in enumerate(ODD_HEADERS):
            for path in (f"/img/gp{n}-1.jpg", f"/p/gp{n}"):
                own = shop._own_reply(path)
                shop.replies[path] = [Reply(200, own.body, {**own.headers, **odd})]
        counts = crawl(tmp_path, shop)
        assert {path for path, row in images(tmp_path).items() if row["status"] == "ok"} == set(shop.images)
        assert counts["failures"] == 0 and set(shop.counts.values()) == {1}


@pytest.mark.parametrize("location", ["/img/ü 1.jpg", "/img/\xfc.jpg"])
def test_a_redirect_to_raw_bytes_is_followed(tmp_path: Path, location: str) -> None:
    """A header is sent as Latin-1: the first target in UTF-8, the second one as its name is on the server."""
    raw = location if "\xfc.jpg" in location else location.encode().decode("latin-1")
    target = "/img/%FC.jpg" if "\xfc.jpg" in location else "/img/%C3%BC%201.jpg"
    with Shop(products=1) as shop:
        shop.replies["/img/gp0-1.jpg"] = [Reply(302, headers={"Location": raw})]
        shop.replies[target] = [Reply(200, jpeg(7))]
        crawl(tmp_path, shop)
        assert images(tmp_path)["/img/gp0-1.jpg"]["status"] == "ok" and shop.counts[target] == 1


@pytest.mark.parametrize("paths", [["/gems"], ["/robots.txt", "/gems"]])
def test_a_store_whose_every_response_is_malformed(tmp_path: Path, paths: list[str]) -> None:
    with Shop() as shop:
        shop.replies = {path: [MALFORMED] for path in paths}
        with pytest.raises(UserError, match="malformed response"):
            crawl(tmp_path, shop)
        assert all(shop.counts[path] <= 1 for path in paths)


def test_a_failed_page_keeps_its_earlier_content(tmp_path: Path) -> None:
    with Shop() as shop:
        crawl(tmp_path, shop)
        shop.replies["/p/gp1"] = [Reply(500)]
        shop.replies["/c/ruby/2"] = [Reply(500)]
        counts = crawl(tmp_path, shop)
        assert {row["status"] for row in images(tmp_path).values()} == {"ok"}
        assert counts["pages_by_reason"] == {"failed: HTTP 500": 2}


def test_a_gone_category_lists_nothing(tmp_path: Path) -> None:
    with Shop() as shop:
        crawl(tmp_path, shop)
        shop.replies["/c/ruby/1"] = [Reply(404)]
        crawl(tmp_path, shop)
        gone = {path for path, row in images(tmp_path).items() if row["status"] == "gone"}
        assert gone == {path for path in shop.images if path[7] in "135"}


def test_an_unread_page_makes_no_image_gone(tmp_path: Path) -> None:
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
def test_a_changed_store_is_reported_with_the_selector_to_correct(
    tmp_path: Path, page: str, message: str
) -> None:
    with Shop(products=1) as shop:
        redesign = {
            path: [Reply(200, f"<p>{path[1:]}: we have a new design! <a href='/new'>New</a></p>".encode())]
            for path in (page, page.replace("ruby", "red"))
        }
        shop.replies = redesign.copy()
        with pytest.raises(UserError, match=f"^{message}[^\n]*$") as error:
            crawl(tmp_path, shop)
        assert error.value.exit_code == EXIT_BAD_INPUT
        shop.replies.clear()
        crawl(tmp_path, shop)
        shop.replies = redesign
        with suppress(StoreUnreadable):
            assert crawl(tmp_path, shop)["ended"] == "incomplete"
        assert {row["status"] for row in images(tmp_path).values()} == {"ok"}, "not mistaken for gone"


def test_an_unreachable_store(tmp_path: Path) -> None:
    with Shop() as shop:
        site = shop.site(tmp_path)
    done = called("gemscrape", "crawl", "--site", site, cwd=tmp_path, expect=4)
    assert "no connection" in done.stderr and shop.host in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("place", ["data", ".cache"])
def test_an_unwritable_folder(tmp_path: Path, place: str) -> None:
    (tmp_path / place).symlink_to("/sys")  # refuses root too
    with Shop() as shop:
        done = called("gemscrape", "crawl", "--site", shop.site(tmp_path), cwd=tmp_path, expect=2)
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    with Shop(products=12) as shop:
        site = shop.site(tmp_path)
        shop.images["/img/gp0-2.jpg"] = jpeg(77, side=1600)
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
        assert crawl_counts(tmp_path)["ended"] == "finished"
