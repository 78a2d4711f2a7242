"""Every fault of the fault server ends in a documented status and reason, and the crawl goes on."""

import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gemkit.tables import read_table
from scraper.http.rate_limiter import BLOCK_AFTER
from scraper.tables import IMAGES, PRODUCTS
from tests.helpers.commands import ROOT, command
from tests.helpers.crawl_results import summary
from tests.helpers.fault_answers import STRANGE, burst, pages, photos, retry_after, robots
from tests.helpers.fault_server import LAST_PAGE

End = tuple[str, str | None]

OK: End = ("ok", None)
TIMEOUT, CUT_OFF = ("failed", "timeout"), ("failed", "connection cut off")
PACKED = ("failed", "compressed without being asked to be")
NO_REDIRECT, TOO_MANY_REDIRECTS = ("failed", "HTTP 302 to nowhere"), ("failed", "too many redirects")
FORBIDDEN = ("refused", "robots.txt")

PHOTOS: dict[str, End] = {
    "slow-first-byte": TIMEOUT,
    "slow-drip": TIMEOUT,
    "reset-before": CUT_OFF,
    "reset-in-body": CUT_OFF,
    "reset-once": OK,
    "cut-before": CUT_OFF,
    "cut-in-body": CUT_OFF,
    "no-http": CUT_OFF,
    "length-too-large": TIMEOUT,
    "length-garbage": CUT_OFF,
    "length-missing": OK,
    "chunks": OK,
    "chunks-broken": CUT_OFF,
    "chunks-cut": CUT_OFF,
    "gzip": PACKED,
    "gzip-bomb": PACKED,
    "html": ("invalid", "HTML instead of an image"),
    "text": ("invalid", "no image"),
    "empty": ("invalid", "empty"),
    "wrong-type": OK,
    "wrong-suffix": OK,
    "30-megapixel": ("invalid", "too many pixels"),
    "100-megapixel": ("invalid", "too many pixels"),
    "60000x60000": ("invalid", "too many pixels"),
    "too-large": ("invalid", "more than 2000000 bytes"),
    "truncated-jpeg": ("invalid", "truncated"),
    "truncated-png": ("invalid", "truncated"),
    "damaged": ("invalid", "does not decode"),
    "recovers": OK,
    "moved": OK,
    "moved-5-times": OK,
    "hop-4": OK,
    "hop-3": OK,
    "hop-2": OK,
    "hop-1": OK,
    "moved-6-times": TOO_MANY_REDIRECTS,
    "loop": TOO_MANY_REDIRECTS,
    "off-site": ("refused", "host evil.example is not allowed"),
    "to-private": ("refused", "host 10.0.0.1 is not allowed"),
    "to-metadata": ("refused", "host 169.254.169.254 is not allowed"),
    "to-ipv6-loopback": ("refused", "host [::1] is not allowed"),
    "to-another-port": ("refused", "host 127.0.0.1:1 is not allowed"),
    "to-private-allowed": ("refused", "host 192.168.0.1 has a private address"),
    "to-file": NO_REDIRECT,
    "to-script": ("failed", "no usable answer (InvalidURL)"),
    "to-nowhere": NO_REDIRECT,
    "to-forbidden": FORBIDDEN,
    "forbidden": FORBIDDEN,
    "keep-out": ("refused", "X-Robots-Tag: noai"),
    **{f"{kind}-{n}": ("refused", f"HTTP {n}") for kind in ("status", "later") for n in (401, 403)},
    **{f"{kind}-{n}": ("gone", f"HTTP {n}") for kind in ("status", "later") for n in (404, 410)},
    **{f"status-{n}": ("failed", f"HTTP {n}") for n in (204, 206, 304, 400, 408, 418, 500, 503)},
}


def unreadable(reason: str) -> tuple[End, End]:
    return (("refused", f"robots.txt cannot be read: {reason}"),) * 2


#: By the state of robots.txt: a photo that its rules allow, if there are any, and one that they forbid.
ROBOTS: dict[str, tuple[End, End]] = {
    **dict.fromkeys(("rules", "moved", "byte-order-mark", "latin-1", "huge"), (OK, FORBIDDEN)),
    **dict.fromkeys(("delay", "delay-garbage", "503-once", "429-once"), (OK, FORBIDDEN)),
    **dict.fromkeys(("empty", "html", "401", "403", "404"), (OK, OK)),
    "500": unreadable("HTTP 500"),
    "503": unreadable("HTTP 503"),
    "503-for-long": unreadable("HTTP 503"),
    "slow": unreadable("timeout"),
    "drip": unreadable("timeout"),
    "reset": unreadable("connection cut off"),
    "too-large": unreadable("more than 1000000 bytes"),
    "gzip-bomb": unreadable("more than 1000000 bytes"),
    "loop": unreadable("too many redirects"),
    "off-site": unreadable("HTTP 302 to another host"),
    "to-private": unreadable("HTTP 302 to another host"),
    "to-file": unreadable("HTTP 302 to another host"),
}

#: Product pages that show nothing, and the two faults among the pages of categories.
PAGES = {
    "failed: timeout": ["slow-first-byte", "slow-drip"],
    "failed: connection cut off": ["reset-in-body", "cut-in-body", "chunks-broken"],
    "failed: no usable answer (DecodeError)": ["gzip-broken"],
    "failed: too many redirects": ["loop", "category loop"],
    "failed: HTTP 500": ["status-500", "category status-500"],
    "gone: HTTP 404": ["status-404"],
    "invalid: more than 1000000 bytes": ["gzip-bomb", "gzip-bomb-twice", "too-large"],
    "refused: HTTP 403": ["status-403"],
    "refused: host 10.0.0.1 is not allowed": ["to-private"],
    "refused: host evil.example is not allowed": ["off-site"],
}
EMPTY_PAGES = ["empty", "binary"]
READ_PAGES = ["gzip", "latin-1", "deep", "json-ld-broken", "json-ld-odd", "json-ld-deep"]

ATTEMPTS, LAST_CATEGORY_PAGE = 2, 6

SITE = """
title = "Faults"
start_url = "http://{shop}/"
page_hosts = ["{shop}"]
image_hosts = {hosts}
contact = "me@example.org"

[limits]
requests_per_second = 500
concurrency = 24
timeout_seconds = 1
attempts = {attempts}
longest_wait_seconds = 5
max_page_bytes = 1_000_000
max_image_bytes = 2_000_000
max_image_pixels = 20_000_000
max_category_pages = {pages}

[categories]
card = "a.class"
[pagination]
next = "a[rel=next]"
[products]
link = "a.product"
[product]
title = {{ read = "css", selector = "h1" }}
attributes = {{ row = "tr", name = "th", value = "td" }}
[[images]]
read = "css"
selector = "img"
attribute = "src"
[[images]]
read = "json-ld"
key = "image"
"""


@contextmanager
def serving() -> Iterator[tuple[dict[str, int], dict[str, dict[str, int]]]]:
    """The fault server while it runs: ports, and afterwards how often each path was asked for, by host."""
    asked: dict[str, dict[str, int]] = {}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.fault_server"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline()), asked
    finally:
        said, _ = process.communicate(timeout=10)
    asked.update(json.loads(said))


@dataclass(frozen=True)
class Crawled:
    """A finished crawl: rows of images.parquet by host and photo, what the server saw, what was printed."""

    folder: Path
    rows: dict[tuple[str, str], dict[str, Any]]
    asked: dict[str, dict[str, int]]
    said: str

    def end(self, host: str, photo: str) -> End:
        row = self.rows[host, photo]
        assert (row["path"] is not None) == (row["status"] == "ok")
        return row["status"], row["reason"]


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Crawled:
    folder = tmp_path_factory.mktemp("faults")
    with serving() as (ports, asked):
        hosts = {f"127.0.0.1:{port}": name for name, port in ports.items()}
        allowed = [*hosts, "*.168.0.1"]  # a pattern that a private address matches, without asking any DNS
        shop = f"127.0.0.1:{ports['shop']}"
        site = SITE.format(shop=shop, hosts=json.dumps(allowed), attempts=ATTEMPTS, pages=LAST_CATEGORY_PAGE)
        (folder / "faults.toml").write_text(site)
        done = command("gemscrape", "crawl", "--site", "faults.toml", cwd=folder)
    rows = {}
    for row in read_table(folder / "data/raw/faults/images.parquet", IMAGES).to_pylist():
        url = urlsplit(row["image_url"])
        rows[hosts[url.netloc], url.path.removeprefix("/img/").removesuffix(".jpg")] = row
    return Crawled(folder, rows, asked, done.stdout + done.stderr)


def test_every_fault_has_an_end() -> None:
    failed = {page for names in PAGES.values() for page in names if not page.startswith("category ")}
    assert set(photos()) == set(PHOTOS)
    assert set(robots()) == set(ROBOTS)
    assert set(pages("")) == failed | set(EMPTY_PAGES) | set(READ_PAGES)


@pytest.mark.parametrize("fault", PHOTOS)
def test_a_photo(crawled: Crawled, fault: str) -> None:
    assert crawled.end("photos", fault) == PHOTOS[fault]


def test_a_length_that_is_too_small(crawled: Crawled) -> None:
    assert crawled.end("leftover", "length-too-small") == ("invalid", "truncated")


@pytest.mark.parametrize("state", ROBOTS)
def test_robots(crawled: Crawled, state: str) -> None:
    host = f"robots-{state}"
    assert (crawled.end(host, "forbidden-good"), crawled.end(host, "forbidden")) == ROBOTS[state]
    for photo, end in zip(("forbidden-good", "forbidden"), ROBOTS[state], strict=True):
        assert (f"/img/{photo}.jpg" in crawled.asked[host]) == (end == OK)


@pytest.mark.parametrize("kind", retry_after(503))
def test_retry_after(crawled: Crawled, kind: str) -> None:
    for host in (f"busy-{kind}", "down-500", "down-503"):
        assert crawled.end(host, kind) == OK


def test_nobody_waits_for_what_takes_far_too_long(crawled: Crawled) -> None:
    assert crawled.end("later", "far-too-long") == ("failed", "HTTP 503")
    assert crawled.asked["later"]["/img/far-too-long.jpg"] == 1
    assert summary(crawled.folder, "faults")["seconds"] < 20


def test_a_burst_of_refusals_is_no_block(crawled: Crawled) -> None:
    statuses = [row["status"] for (host, _), row in crawled.rows.items() if host == "burst"]
    assert statuses == ["ok"] * 2 * len(burst()) and len(burst()) > BLOCK_AFTER


def test_hosts_that_cannot_be_reached(crawled: Crawled) -> None:
    assert crawled.end("closed", "forbidden") == unreadable("no connection")[0]
    assert crawled.end("https", "forbidden") == unreadable("certificate not accepted")[0]
    assert not crawled.asked["https"]


def test_faults_spoil_nothing_else(crawled: Crawled) -> None:
    raw = crawled.folder / "data/raw/faults"
    stored = {raw / row["path"]: row["sha256"] for row in crawled.rows.values() if row["path"]}
    assert {path for path in (raw / "images").rglob("*") if path.is_file()} == set(stored)
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == stored[path] for path in stored)
    for (host, photo), row in crawled.rows.items():
        if photo.endswith("-good") and not host.startswith(("robots", "https", "closed")):
            assert row["status"] == "ok", photo
    assert crawled.rows["photos", "wrong-type"]["content_type"] == "image/jpeg"
    assert crawled.rows["photos", "wrong-suffix"]["content_type"] == "image/png"
    assert crawled.rows["photos", "wrong-suffix"]["path"].endswith(".png")


def test_the_summary_counts_every_end(crawled: Crawled) -> None:
    ends = Counter(f"{row['status']}: {row['reason']}" for row in crawled.rows.values() if row["reason"])
    assert summary(crawled.folder, "faults")["by_reason"] == ends


def test_nothing_is_asked_for_more_often_than_may_help(crawled: Crawled) -> None:
    asked = crawled.asked["photos"]
    final = [fault for fault, (status, _) in PHOTOS.items() if status in ("invalid", "gone")]
    # On a busy machine one may have been too late the first time.
    assert sum(asked[f"/img/{fault}.jpg"] > 1 for fault in final) <= 1
    failed = [fault for fault, (status, _) in PHOTOS.items() if status == "failed" and fault != "loop"]
    assert max(asked[f"/img/{fault}.jpg"] for fault in failed) == ATTEMPTS
    assert "/img/forbidden.jpg" not in asked


def test_pages(crawled: Crawled) -> None:
    numbers = summary(crawled.folder, "faults")
    assert numbers["pages_by_reason"] == {reason: len(pages) for reason, pages in PAGES.items()}
    shown = {photo.removeprefix("page-") for _, photo in crawled.rows if photo.startswith("page-")}
    assert shown == set(READ_PAGES)
    assert all(crawled.end("photos", f"page-{page}") == OK for page in READ_PAGES)


def test_one_page_under_many_urls_is_read_once(crawled: Crawled) -> None:
    assert crawled.rows["photos", "visit"]["page_urls"][0].endswith("/visit")
    for host, path in (("shop", "/visits"), ("shop", "/visit"), ("photos", "/img/visit.jpg")):
        # What was read may be asked for once more, to see whether a 403 is about another page alone.
        assert crawled.asked[host][path] <= 2


def test_endless_paginations_end(crawled: Crawled) -> None:
    read = Counter(path.split("/")[1] for path in crawled.asked["shop"])
    assert read["same"] == 2, "a page that brings nothing new is the last"
    assert read["new"] == LAST_CATEGORY_PAGE < LAST_PAGE
    notes = summary(crawled.folder, "faults")["notes"]
    assert any(f"stopped at {LAST_CATEGORY_PAGE} pages of" in note for note in notes)
    assert sum(photo.startswith("endless-") for _, photo in crawled.rows) == LAST_CATEGORY_PAGE + 1


@pytest.mark.parametrize("kind", STRANGE)
def test_strangers_text_is_kept_in_the_tables(crawled: Crawled, kind: str) -> None:
    text = {"terminal": "[31mred 0m"}.get(kind) or " ".join(STRANGE[kind].split())
    row = next(row for row in crawled.rows.values() if row["page_urls"][0].endswith(f"/stranger/{kind}"))
    assert row["status"] == "ok" and row["store_classes"] == [text]
    products = read_table(crawled.folder / "data/raw/faults/products.parquet", PRODUCTS).to_pylist()
    product = next(product for product in products if product["page_url"].endswith(f"/stranger/{kind}"))
    assert product["title"] == text and json.loads(product["attributes"]) == {text: text}


def test_strangers_text_reaches_no_path_and_no_terminal(crawled: Crawled) -> None:
    for path in crawled.folder.rglob("*"):
        assert re.fullmatch(r"[a-z0-9._/-]+", path.relative_to(crawled.folder).as_posix())
        assert "pwned" not in path.name
    assert crawled.said.isascii() and crawled.said.replace("\n", "").isprintable()
    assert not any(word in crawled.said for word in ("pwned", "script", "stone", "very long", "Warning"))


def test_every_end_is_documented(crawled: Crawled) -> None:
    text = (ROOT / "docs/sites.md").read_text()
    section = text.split("## What becomes of each image")[1].split("\n## ")[0]
    documented = [
        (status, re.compile(re.escape(reason).replace("…", ".+")))
        for status, reasons in re.findall(r"^\| `(\w+)` \|(.*?)\|", section, re.MULTILINE)
        for reason in re.findall(r"`([^`]+)`", reasons)
    ]
    for row in crawled.rows.values():
        known = row["reason"] is None or any(
            row["status"] == status and reason.fullmatch(row["reason"]) for status, reason in documented
        )
        assert known, f"{row['status']}: {row['reason']}"
