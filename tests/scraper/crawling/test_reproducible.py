"""The clock of the demo store stands still: every crawl of it writes the same tables and counts."""

import shutil
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.helpers.commands import called, signal_when, start
from tests.helpers.crawl_results import images, summary
from tests.helpers.project import set_up, share_rendered

CRAWL = ("gemscrape", "crawl", "--site", "demo")


def written(folder: Path) -> dict[str, bytes]:
    """What git and DVC see of a crawl."""
    files = [path for path in (folder / "data").rglob("*") if path.is_file()]
    files += (folder / "metrics").rglob("*.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def fresh(tmp_path: Path, rendered: Path) -> Path:
    folder = tmp_path / "fresh"
    set_up(folder)
    share_rendered(rendered, folder)
    return folder


def test_an_interrupted_crawl_and_one_from_the_tables_write_the_same(crawled: Path, fresh: Path) -> None:
    expected = written(crawled)
    stored = fresh / "data/raw/demo/images"
    for count in (3, 60):
        process = start(*CRAWL, cwd=fresh)
        signal_when(process, lambda count=count: len(list(stored.glob("??/*"))) >= count, signal.SIGINT)
        assert written(fresh) != expected
    called(*CRAWL, cwd=fresh)
    assert written(fresh) == expected
    shutil.rmtree(fresh / ".cache/crawl")
    called(*CRAWL, cwd=fresh)
    assert summary(fresh, "demo")["added"] == 0
    assert written(fresh) == expected


def test_the_times_of_the_demo_store(crawled: Path) -> None:
    rows = images(crawled, "demo").values()
    times = {row[name] for row in rows for name in ("first_seen", "fetched_at", "gone_at")}
    assert times == {None, datetime(2025, 1, 1, tzinfo=UTC)}
