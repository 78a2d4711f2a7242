"""Ctrl-C and SIGTERM end a crawl soon, whatever the store has sent it."""

import os
import signal
import sqlite3
import time
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from gemkit.project import Project
from scraper.monitoring.status import read_status
from tests.helpers.commands import signal_when, start
from tests.helpers.crawl_results import crawl, images, summary
from tests.helpers.crawl_shop import Reply, Shop
from tests.helpers.encoded_images import encoded
from tests.helpers.slow import others_slow

#: Requests in flight have 3 s to end; the rest is for a busy machine.
SECONDS = 8.0

#: Pages that take many seconds to parse: 10 MB of nested elements, of text and of JSON.
HOSTILE_PAGES = [
    b"<table><tr><th>x<td>y" * 45_000 + b" " * 9_000_000,
    b"<h1>x" * 6_000 + b"</b>" * 2_000_000,
    b"<script type='application/ld+json'>" + b"[" + b'{"@type": "Product"},' * 450_000 + b"0]</script>",
    b"<title>" + b" " * 9_000_000,
]


@cache
def large_picture() -> bytes:
    """It takes seconds to decode."""
    return encoded(Image.new("RGB", (7000, 7000)), "JPEG", progressive=True)


def ends_soon(shop: Shop, folder: Path, path: str, number: signal.Signals) -> None:
    """Send the signal in the middle of the work that begins with the request of this path."""
    site = folder / shop.site(folder)
    site.write_text(site.read_text().replace("timeout_seconds = 2", "timeout_seconds = 60"))
    process = start("gemscrape", "crawl", "--site", "shop.toml", cwd=folder)
    ready: list[float] = []

    def is_busy() -> bool:
        asked = [moment for moment, asked_path, _ in shop.requests if asked_path == path]
        if asked and time.monotonic() > asked[0] + 1:
            ready.append(time.monotonic())
        return bool(ready)

    code, stderr = signal_when(process, is_busy, number)
    assert time.monotonic() - ready[0] < SECONDS
    assert (code, "Interrupted" in stderr, "Traceback" in stderr) == (130, True, False)
    images(folder)  # the tables are complete


@pytest.mark.parametrize("number", others_slow([signal.SIGINT, signal.SIGTERM]))
def test_while_pages_are_parsed_and_one_never_arrives(tmp_path: Path, number: signal.Signals) -> None:
    with Shop(products=6) as shop:
        for product, body in enumerate(HOSTILE_PAGES):
            shop.replies[f"/p/gp{product}"] = [Reply(body=body)]
        shop.replies["/p/gp4"] = [Reply(delay=60)]
        ends_soon(shop, tmp_path, "/p/gp3", number)


@pytest.mark.parametrize("number", others_slow([signal.SIGINT, signal.SIGTERM], signal.SIGTERM))
def test_while_large_pictures_are_decoded_and_one_never_arrives(
    tmp_path: Path, number: signal.Signals
) -> None:
    with Shop(products=6) as shop:
        shop.replies |= {path: [Reply(body=large_picture())] for path in shop.images}
        shop.replies["/img/gp2-1.jpg"] = [Reply(delay=60)]
        ends_soon(shop, tmp_path, "/img/gp1-1.jpg", number)


def known_images(folder: Path, count: int) -> None:
    """Add so many images to the state of a crawl that ended: enough to export for a second or two."""
    with closing(sqlite3.connect(folder / ".cache/crawl/shop.sqlite")) as database:
        database.executemany(
            "INSERT INTO images (image_url, run, listed, status, store_classes, product_ids, page_urls, "
            "first_seen, first_run) VALUES (?, 0, 0, 'ok', '[]', '[]', '[]', 0, 0)",
            ([f"http://cdn.test/{number}.jpg"] for number in range(count)),
        )
        database.commit()


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_while_the_tables_are_written(tmp_path: Path, number: signal.Signals) -> None:
    raw = tmp_path / "data/raw/shop"
    with Shop(products=1) as shop:
        crawl(tmp_path, shop)
        before = {path: path.read_bytes() for path in raw.glob("*.parquet")}
        known_images(tmp_path, 40_000)
        process = start("gemscrape", "crawl", "--site", "shop.toml", cwd=tmp_path)
        code, stderr = signal_when(process, lambda: any(raw.glob(".images.parquet.*")), number)
    assert (code, "Interrupted" in stderr, "Traceback" in stderr) == (130, True, False)
    assert {path: path.read_bytes() for path in raw.glob("*.parquet")} == before
    assert not list(raw.glob(".*")), "no part of a table is left"
    assert summary(tmp_path)["ended"] == "interrupted"
    assert read_status(Project(tmp_path), "shop").finished is None, "the next crawl writes the tables"


def test_an_interrupt_does_not_wait_for_large_tables(tmp_path: Path) -> None:
    with Shop(products=12, rate=20) as shop:
        crawl(tmp_path, shop)
        before = (tmp_path / "data/raw/shop/images.parquet").read_bytes()
        known_images(tmp_path, 20_001)
        asked = len(shop.requests)
        process = start("gemscrape", "crawl", "--site", "shop.toml", cwd=tmp_path)
        code, _ = signal_when(process, lambda: len(shop.requests) > asked + 2, signal.SIGTERM)
    assert code == 130 and (tmp_path / "data/raw/shop/images.parquet").read_bytes() == before
    assert any("tables" in note for note in summary(tmp_path)["notes"])


#: A name server that does not answer, in place of the system's.
SLOW_NAMES = """
import pathlib, socket, time

def getaddrinfo(host, *arguments, **options):
    pathlib.Path(__file__).with_name("asked").touch()
    time.sleep(60)

socket.getaddrinfo = getaddrinfo
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_while_a_name_is_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    patched, asked = tmp_path / "patched/sitecustomize.py", tmp_path / "patched/asked"
    patched.parent.mkdir()
    patched.write_text(SLOW_NAMES)
    monkeypatch.setenv("PYTHONPATH", str(patched.parent), prepend=os.pathsep)
    with Shop() as shop:
        site = tmp_path / shop.site(tmp_path)
        text = site.read_text().replace(shop.host, "slow.test")
        site.write_text(text.replace("timeout_seconds = 2", "timeout_seconds = 60"))
    process = start("gemscrape", "crawl", "--site", "shop.toml", cwd=tmp_path)
    ready: list[float] = []

    def is_asked() -> bool:
        ready.append(time.monotonic())
        return asked.exists()

    code, stderr = signal_when(process, is_asked, number)
    assert time.monotonic() - ready[-1] < SECONDS
    assert (code, "Interrupted" in stderr, "Traceback" in stderr) == (130, True, False)
    assert not images(tmp_path)
