"""State and tables of earlier versions are read, and continued by the next crawl."""

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gemkit.project import Project
from gemkit.tables import read_table, write_table
from scraper.monitoring.status import read_status
from scraper.storage.host_table import load_host_histories
from scraper.storage.schema import VERSION
from scraper.tables import IMAGES
from tests.helpers.commands import signal_when, start
from tests.helpers.crawl_results import crawl, images
from tests.helpers.crawl_shop import Reply, Shop

pytestmark = pytest.mark.usefixtures("short_backoff")

KINDS = {"/img/gp0-1.jpg": "http_status", "/img/gp1-1.jpg": "not_an_image"}

#: The state of this version in the form of version 6.
TO_VERSION_6 = """
ALTER TABLE pages DROP COLUMN doubted;
PRAGMA user_version = 6;
"""

#: The state of this version in the form of version 5.
TO_VERSION_5 = f"""
{TO_VERSION_6}
ALTER TABLE runs DROP COLUMN pages_read;
PRAGMA user_version = 5;
"""

#: The state of this version in the form of version 4.
TO_VERSION_4 = f"""
{TO_VERSION_5}
ALTER TABLE pages DROP COLUMN attempts;
ALTER TABLE images DROP COLUMN attempts;
PRAGMA user_version = 4;
"""

#: The state of this version in the form of version 3.
TO_VERSION_3 = f"""
{TO_VERSION_4}
ALTER TABLE images DROP COLUMN first_run;
ALTER TABLE images DROP COLUMN gone_run;
PRAGMA user_version = 3;
"""

#: The state of this version in the form of version 2.
TO_VERSION_2 = f"""
{TO_VERSION_3}
ALTER TABLE pages RENAME COLUMN parser TO readers;
ALTER TABLE pages RENAME COLUMN content TO found;
ALTER TABLE hosts RENAME COLUMN converged TO settled;
ALTER TABLE pages DROP COLUMN reason_kind;
ALTER TABLE images DROP COLUMN reason_kind;
ALTER TABLE hosts DROP COLUMN reason_kind;
PRAGMA user_version = 2;
"""


def kinds(folder: Path) -> dict[str, str]:
    return {path: row["reason_kind"] for path, row in images(folder).items() if row["reason"]}


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[Shop]:
    """A shop after a crawl; two of its images have a reason, one of them with a validator."""
    with Shop() as shop:
        shop.replies["/img/gp0-1.jpg"] = [Reply(404)]
        shop.images["/img/gp1-1.jpg"] = b"\x00no image"
        shop.replies["/p/gp2"] = [Reply(500)]
        crawl(tmp_path, shop)
        assert kinds(tmp_path) == KINDS
        shop.requests.clear()
        yield shop


def test_the_state_of_version_2_is_continued(tmp_path: Path, faulty: Shop) -> None:
    path = tmp_path / ".cache/crawl/shop.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(TO_VERSION_2 + "INSERT INTO hosts VALUES ('x.test', 3.0, 1, 9e9, NULL, NULL);")
    before = path.read_bytes()
    assert load_host_histories(path)["x.test"].converged
    assert "1 failed: HTTP 500" in "\n".join(read_status(Project(tmp_path), "shop").lines())
    assert path.read_bytes() == before, "reading changes nothing"
    crawl(tmp_path, faulty)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert kinds(tmp_path) == KINDS, "what had a reason was requested again"
    unconditional = {path for _, path, headers in faulty.requests if "if-none-match" not in headers}
    assert unconditional == {"/robots.txt", "/img/gp0-1.jpg", "/img/gp1-1.jpg", "/p/gp2"}


def test_the_state_of_version_3_is_continued(tmp_path: Path) -> None:
    with Shop() as shop:
        crawl(tmp_path, shop)
        del shop.images["/img/gp0-1.jpg"]
        process = start("gemscrape", "crawl", "--site", shop.site(tmp_path), cwd=tmp_path)
        signal_when(process, lambda: shop.image_requests()["/img/gp1-1.jpg"] > 1, signal.SIGKILL)
        path = tmp_path / ".cache/crawl/shop.sqlite"
        with closing(sqlite3.connect(path)) as database:
            database.executescript(TO_VERSION_3)
        assert crawl(tmp_path, shop)["gone"] == 1, "lost in the run that was killed"
        assert crawl(tmp_path, shop)["gone"] == 0


def test_a_table_without_kinds_restores_a_lost_state(tmp_path: Path, faulty: Shop) -> None:
    table = tmp_path / "data/raw/shop/images.parquet"
    write_table(table, read_table(table, IMAGES).drop_columns("reason_kind"))
    for path in (tmp_path / ".cache/crawl").glob("shop.sqlite*"):
        path.unlink()
    assert crawl(tmp_path, faulty)["downloaded"] == 0
    assert kinds(tmp_path) == KINDS
