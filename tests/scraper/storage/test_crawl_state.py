"""The state of a crawl survives kills and losses, and what it knows stays true in the next crawl."""

import shutil
import signal
from pathlib import Path

import pytest

from tests.helpers.commands import signal_when, start
from tests.helpers.crawl_results import check_files, crawl, images, summary
from tests.helpers.crawl_shop import Reply, Shop, jpeg
from tests.helpers.slow import others_slow

pytestmark = pytest.mark.usefixtures("short_backoff")


@pytest.mark.parametrize("lost", ["state", "damaged state"])
def test_a_lost_state_is_rebuilt_from_the_tables(tmp_path: Path, shop: Shop, lost: str) -> None:
    crawl(tmp_path, shop)
    before = images(tmp_path)
    for path in (tmp_path / ".cache/crawl").glob("shop.sqlite*"):
        path.unlink()
    if lost == "damaged state":
        (tmp_path / ".cache/crawl/shop.sqlite").write_bytes(b"no database at all" * 100)
    assert crawl(tmp_path, shop)["downloaded"] == 0
    assert images(tmp_path) == before


def test_lost_files_are_fetched_again(tmp_path: Path, shop: Shop) -> None:
    crawl(tmp_path, shop)
    shutil.rmtree(tmp_path / "data")
    assert crawl(tmp_path, shop)["downloaded"] == 12
    check_files(tmp_path)


@pytest.mark.parametrize("moment", others_slow([2, 15, 30], 30))
def test_kill_9_loses_only_what_was_in_flight(tmp_path: Path, moment: int) -> None:
    concurrency = 4
    with Shop(products=15, rate=60) as shop:
        site = shop.site(tmp_path, limits=f"concurrency = {concurrency}")
        process = start("gemscrape", "crawl", "--site", site, cwd=tmp_path)
        signal_when(process, lambda: len(shop.requests) >= moment, signal.SIGKILL)
        at_kill = shop.counts
        assert shop.image_requests().total() < 30
        crawl(tmp_path, shop, limits=f"concurrency = {concurrency}")
        again = sum(count - 1 for path, count in shop.counts.items() if path != "/robots.txt")
        assert again <= concurrency
        assert sum(at_kill.values()) >= moment
        assert len(images(tmp_path)) == 30
        check_files(tmp_path)


def test_ctrl_c_keeps_finished_items(tmp_path: Path) -> None:
    with Shop(products=30, rate=40) as shop:
        process = start("gemscrape", "crawl", "--site", shop.site(tmp_path), cwd=tmp_path)
        code, output = signal_when(process, lambda: shop.image_requests().total() > 5, signal.SIGINT)
        assert code == 130 and output.startswith("error: Interrupted") and "Traceback" not in output
        kept = images(tmp_path)
        assert 0 < len(kept) < 60 and summary(tmp_path)["ended"] == "interrupted"
        check_files(tmp_path)
        shop.rate = 1000.0
        counts = crawl(tmp_path, shop)
        assert counts["downloaded"] == 60 - len(kept) and counts["pages"] == 0


def test_an_image_that_was_never_stored_does_not_become_ok(tmp_path: Path) -> None:
    path = "/img/gp0-1.jpg"
    with Shop(products=1) as shop:
        good, shop.images[path] = shop.images[path], b"no image"
        for replies, status in ([], "invalid"), ([Reply(500)], "failed"), ([], "invalid"):
            shop.replies = {path: replies} if replies else {}
            crawl(tmp_path, shop)
            assert images(tmp_path)[path]["status"] == status
        shop.images[path] = good
        crawl(tmp_path, shop)
    assert images(tmp_path)[path]["status"] == "ok" and images(tmp_path)[path]["path"]


def test_a_block_does_not_hide_a_gone_image(tmp_path: Path) -> None:
    with Shop(products=2) as shop:
        shop.replies["/img/gp0-1.jpg"] = [Reply(404)]
        crawl(tmp_path, shop)
        shop.images["/img/gp1-9.jpg"] = jpeg(99)
        shop.replies |= {path: [Reply(429)] for path in ["/gems", *shop.images]}
        assert crawl(tmp_path, shop)["ended"] == "blocked"
    assert images(tmp_path)["/img/gp0-1.jpg"]["status"] == "gone"
