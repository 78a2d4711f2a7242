"""Broken URLs cost nothing but themselves: the good ones of their host are all stored."""

import signal
from pathlib import Path

import pytest

from benchmarks.crawling._broken_shop import WAYS, BrokenShop, Damage, Level, Position, serve
from tests.helpers.broken_crawls import LIMITS, crawl, stored
from tests.helpers.commands import signal_when, start
from tests.helpers.crawl_results import check_files, images, summary
from tests.helpers.project import empty_project
from tests.helpers.slow import others_slow

#: More than a host may fail in a row without being down, were they all its own failures.
MANY = 14


@pytest.mark.parametrize("way", others_slow(WAYS, "500", "reset", "challenge", "slow headers"))
def test_broken_images_come_first(tmp_path: Path, way: str) -> None:
    with serve(BrokenShop(8, Damage(way, 3))) as served:
        done = crawl(tmp_path, served, expect=None)
        assert stored(tmp_path) == served.shop.good
    assert done.returncode in (0, 4), done.stderr
    assert summary(tmp_path)["ended"] != "blocked"
    check_files(tmp_path)


@pytest.mark.parametrize("position", others_slow(["first", "last", "spread"], "first"))
@pytest.mark.parametrize("way", ["500", "reset"])
def test_many_broken_images(tmp_path: Path, way: str, position: Position) -> None:
    with serve(BrokenShop(2 * MANY, Damage(way, MANY, position=position))) as served:
        done = crawl(tmp_path, served, expect=4)
        assert stored(tmp_path) == served.shop.good
        broken = [path for path in served.shop.images if path not in served.shop.good]
        counts = [served.cdn.counts[path] for path in broken]
        assert max(counts) <= 6 and sum(counts) <= 2.5 * MANY, "attempts are bounded"
    assert "Traceback" not in done.stderr
    statuses = {row["status"] for path, row in images(tmp_path).items() if path in broken}
    assert statuses == {"failed"}


@pytest.mark.parametrize(
    "way", others_slow(["500", "503", "cut off", "to nowhere", "to a 404", "slow headers"], "503", "cut off")
)
@pytest.mark.parametrize("level", ["product", "category"])
def test_broken_pages_come_first(tmp_path: Path, way: str, level: Level) -> None:
    with serve(BrokenShop(8, Damage(way, 3, level))) as served:
        done = crawl(tmp_path, served, "html", expect=None)
        assert stored(tmp_path) == served.shop.good
    assert done.returncode in (0, 4), done.stderr
    assert summary(tmp_path)["ended"] != "blocked"


def test_a_rerun_asks_again_for_what_failed(tmp_path: Path) -> None:
    shop = BrokenShop(MANY + 6, Damage("500", MANY))
    with serve(shop) as served:
        crawl(tmp_path, served, expect=4)
        shop.broken = set()
        served.cdn.log.clear()
        crawl(tmp_path, served, expect=0)
        assert stored(tmp_path) == set(shop.images)
        assert not served.cdn.counts.keys() & shop.good, "without a validator, nothing to ask"


def test_a_rerun_fetches_what_is_new_before_what_failed(tmp_path: Path) -> None:
    shop = BrokenShop(MANY + 6, Damage("500", MANY))
    with serve(shop) as served:
        whole = list(shop.images)
        shop.images = whole[:MANY]  # the list grows later
        crawl(tmp_path, served, expect=None)
        shop.images = whole
        served.cdn.log.clear()
        crawl(tmp_path, served, limits=f"{LIMITS}\nconcurrency = 1", expect=4)
        assert stored(tmp_path) == set(whole[MANY:])
        asked = [request.path for request in served.cdn.log if request.path in whole]
        assert set(asked[:6]) <= set(whole[MANY:]), "fresh ones first"


def test_attempts_are_remembered_after_a_kill(tmp_path: Path) -> None:
    attempts = 4
    limits = f"requests_per_second = 30\ntimeout_seconds = 2\nattempts = {attempts}"
    with serve(BrokenShop(30, Damage("500", 3))) as served:
        empty_project(tmp_path)
        site = served.site(tmp_path, "links", limits)
        broken = [path for path in served.shop.images if path not in served.shop.good]
        process = start("gemscrape", "crawl", "--site", site, cwd=tmp_path)

        def tried() -> bool:
            return min(served.cdn.counts[path] for path in broken) >= attempts - 1

        signal_when(process, tried, signal.SIGKILL)
        crawl(tmp_path, served, limits=limits, expect=4)
        assert stored(tmp_path) == served.shop.good
        # Some are asked again at once, to learn whom the trouble concerns; that is no attempt of its own.
        assert all(served.cdn.counts[path] <= attempts + 8 for path in broken)
