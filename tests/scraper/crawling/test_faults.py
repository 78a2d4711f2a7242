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
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import pytest

from gemkit.tables import read_table
from scraper.http.rate_limiter import BLOCK_AFTER
from scraper.tables import IMAGES, PRODUCTS
from tests.helpers.commands import ROOT, command
from tests.helpers.crawl_results import summary
from tests.helpers.fault_responses import HOSTILE_TEXT, burst, images, pages, retry_after, robots
from tests.helpers.fault_server import LAST_PAGE
from tests.helpers.project import empty_project

End = tuple[str, str | None]

OK: End = ("ok", None)
TIMEOUT, CUT_OFF = ("failed", "timeout"), ("failed", "connection cut off")
MALFORMED = ("failed", "malformed response")
NO_REDIRECT, TOO_MANY_REDIRECTS = ("failed", "HTTP 302 to nowhere"), ("failed", "too many redirects")
FORBIDDEN = ("refused", "robots.txt")

IMAGE_FAULTS: dict[str, End] = {
    "slow-first-byte": TIMEOUT,
    "slow-drip": TIMEOUT,
    "slow-head": TIMEOUT,
    "reset-before": CUT_OFF,
    "reset-in-body": CUT_OFF,
    "reset-once": OK,
    "cut-before": CUT_OFF,
    "cut-in-body": CUT_OFF,
    "no-http": MALFORMED,
    "length-too-large": TIMEOUT,
    "length-garbage": MALFORMED,
    "length-missing": OK,
    "chunks": OK,
    "chunks-broken": MALFORMED,
    "chunks-cut": CUT_OFF,
    "gzip": OK,
    "gzip-bomb": ("invalid", "more than 2000000 bytes"),
    "html": ("invalid", "HTML instead of an image"),
    "text": ("invalid", "text instead of an image"),
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
    "to-script": NO_REDIRECT,
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


#: By the state of robots.txt: the ends of an image that its rules (if any) allow, and of one they forbid.
ROBOTS_FAULTS: dict[str, tuple[End, End]] = {
    **dict.fromkeys(("rules", "moved", "byte-order-mark", "latin-1", "huge", "too-large"), (OK, FORBIDDEN)),
    **dict.fromkeys(("delay", "delay-garbage", "503-once", "429-once"), (OK, FORBIDDEN)),
    **dict.fromkeys(("empty", "html", "gzip-bomb", "401", "403", "404"), (OK, OK)),
    "500": unreadable("HTTP 500"),
    "503": unreadable("HTTP 503"),
    "503-for-long": unreadable("HTTP 503"),
    "slow": unreadable("timeout"),
    "drip": unreadable("timeout"),
    "reset": unreadable("connection cut off"),
    "loop": unreadable("too many redirects"),
    "off-site": unreadable("HTTP 302 to another host"),
    "to-private": unreadable("HTTP 302 to another host"),
    "to-file": unreadable("HTTP 302 to another host"),
}

#: Product pages that cannot be read, and the two faults among the category pages.
PAGE_FAULTS = {
    "failed: timeout": ["slow-first-byte", "slow-drip"],
    "failed: connection cut off": ["reset-in-body", "cut-in-body"],
    "failed: empty page": ["empty"],
    "failed: malformed response": ["chunks-broken"],
    "failed: cannot be decompressed": ["gzip-broken"],
    "failed: too many redirects": ["loop", "category loop"],
    "failed: HTTP 500": ["status-500", "category status-500"],
    "gone: HTTP 404": ["status-404"],
    "invalid: more than 1000000 bytes": ["gzip-bomb", "gzip-bomb-twice", "too-large"],
    "refused: HTTP 403": ["status-403"],
    "refused: host 10.0.0.1 is not allowed": ["to-private"],
    "refused: host evil.example is not allowed": ["off-site"],
}
EMPTY_PAGES = ["binary"]
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
    """The fault server while it runs: ports, and afterwards how often each path was requested, by host."""
    requests: dict[str, dict[str, int]] = {}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.fault_server"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline()), requests
    finally:
        output, _ = process.communicate(timeout=10)
    requests.update(json.loads(output))


@dataclass(frozen=True)
class Crawled:
    """A finished crawl: rows of images.parquet by host and name, the server's log, the output."""

    folder: Path
    rows: dict[tuple[str, str], dict[str, Any]]
    requests: dict[str, dict[str, int]]
    output: str

    def end(self, host: str, name: str) -> End:
        row = self.rows[host, name]
        assert (row["path"] is not None) == (row["status"] == "ok")
        return row["status"], row["reason"]


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Crawled:
    folder = tmp_path_factory.mktemp("faults")
    with serving() as (ports, requests):
        hosts = {f"127.0.0.1:{port}": name for name, port in ports.items()}
        allowed = [*hosts, "*.168.0.1"]  # a pattern that matches a private address, without DNS
        shop = f"127.0.0.1:{ports['shop']}"
        site = SITE.format(shop=shop, hosts=json.dumps(allowed), attempts=ATTEMPTS, pages=LAST_CATEGORY_PAGE)
        (folder / "faults.toml").write_text(site)
        empty_project(folder)
        done = command("gemscrape", "crawl", "--site", "faults.toml", cwd=folder, expect=4)
    rows = {}
    for row in read_table(folder / "data/raw/faults/images.parquet", IMAGES).to_pylist():
        url = urlsplit(row["image_url"])
        rows[hosts[url.netloc], url.path.removeprefix("/img/").removesuffix(".jpg")] = row
    return Crawled(folder, rows, requests, done.stdout + done.stderr)


def test_every_fault_has_an_end() -> None:
    failed = {page for names in PAGE_FAULTS.values() for page in names if not page.startswith("category ")}
    assert set(images()) == set(IMAGE_FAULTS)
    assert set(robots()) == set(ROBOTS_FAULTS)
    assert set(pages("")) == failed | set(EMPTY_PAGES) | set(READ_PAGES)


#: What comes in place of an image.
MARKUP = ["HTML instead of an image", "text instead of an image"]

#: Kinds of reasons by their text.
KINDS = {
    "timeout": "timeout",
    "connection cut off": "connection_cut",
    "malformed response": "malformed",
    "too many redirects": "redirect",
    "HTTP 302 to nowhere": "redirect",
    "robots.txt": "robots",
    "HTTP 404": "http_status",
    "too many pixels": "too_many_pixels",
    "truncated": "truncated",
    "does not decode": "undecodable",
    "text instead of an image": "text_instead_of_image",
    "HTML instead of an image": "html_instead_of_image",
    "empty": "empty",
    "more than 2000000 bytes": "too_large",
    "host evil.example is not allowed": "host_not_allowed",
    "X-Robots-Tag: noai": "x_robots_tag",
    "robots.txt cannot be read: HTTP 500": "robots_unreadable",
}


def test_every_reason_has_its_kind(crawled: Crawled) -> None:
    kinds = {row["reason"]: row["reason_kind"] for row in crawled.rows.values()}
    assert kinds.pop(None) is None
    assert all(kinds.values()) and "unknown" not in kinds.values()
    assert {reason: kinds[reason] for reason in KINDS} == KINDS


@pytest.mark.parametrize("fault", IMAGE_FAULTS)
def test_image_fault(crawled: Crawled, fault: str) -> None:
    assert crawled.end("images", fault) == IMAGE_FAULTS[fault]


def test_a_length_that_is_too_small(crawled: Crawled) -> None:
    assert crawled.end("leftover", "length-too-small") == ("invalid", "truncated")


@pytest.mark.parametrize("state", ROBOTS_FAULTS)
def test_robots(crawled: Crawled, state: str) -> None:
    host = f"robots-{state}"
    assert (crawled.end(host, "forbidden-good"), crawled.end(host, "forbidden")) == ROBOTS_FAULTS[state]
    for name, end in zip(("forbidden-good", "forbidden"), ROBOTS_FAULTS[state], strict=True):
        assert (f"/img/{name}.jpg" in crawled.requests[host]) == (end == OK)


@pytest.mark.parametrize("kind", retry_after(503))
def test_retry_after(crawled: Crawled, kind: str) -> None:
    for host in (f"busy-{kind}", "down-500", "down-503"):
        assert crawled.end(host, kind) == OK


def test_a_retry_after_that_is_too_long_is_not_waited_for(crawled: Crawled) -> None:
    assert crawled.end("later", "far-too-long") == ("failed", "HTTP 503")
    assert crawled.requests["later"]["/img/far-too-long.jpg"] == 1
    assert summary(crawled.folder, "faults")["seconds"] < 30


def test_a_burst_of_rejections_is_not_a_block(crawled: Crawled) -> None:
    statuses = [row["status"] for (host, _), row in crawled.rows.items() if host == "burst"]
    assert statuses == ["ok"] * 2 * len(burst()) and len(burst()) > BLOCK_AFTER


def test_hosts_that_cannot_be_reached(crawled: Crawled) -> None:
    assert crawled.end("closed", "forbidden") == unreadable("no connection")[0]
    assert crawled.end("https", "forbidden") == unreadable("certificate not accepted")[0]
    assert not crawled.requests["https"]


def test_faults_affect_nothing_else(crawled: Crawled) -> None:
    raw = crawled.folder / "data/raw/faults"
    stored = {raw / row["path"]: row["sha256"] for row in crawled.rows.values() if row["path"]}
    assert {path for path in (raw / "images").rglob("*") if path.is_file()} == set(stored)
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == stored[path] for path in stored)
    for (host, name), row in crawled.rows.items():
        if name.endswith("-good") and not host.startswith(("robots", "https", "closed")):
            assert row["status"] == "ok", name
    assert crawled.rows["images", "wrong-type"]["content_type"] == "image/jpeg"
    assert crawled.rows["images", "wrong-suffix"]["content_type"] == "image/png"
    assert crawled.rows["images", "wrong-suffix"]["path"].endswith(".png")


def test_the_summary_counts_every_end(crawled: Crawled) -> None:
    ends = Counter(f"{row['status']}: {row['reason']}" for row in crawled.rows.values() if row["reason"])
    assert summary(crawled.folder, "faults")["by_reason"] == ends


def test_only_what_may_recover_is_requested_again(crawled: Crawled) -> None:
    requests = crawled.requests["images"]
    doubtful = {("invalid", text) for text in ("empty", "truncated", *MARKUP)}
    final = [
        fault for fault, end in IMAGE_FAULTS.items() if end[0] in ("invalid", "gone") and end not in doubtful
    ]
    # On a busy machine some may time out the first time.
    assert sum(requests[f"/img/{fault}.jpg"] > 1 for fault in final) <= 3
    failed = [fault for fault, (status, _) in IMAGE_FAULTS.items() if status == "failed" and fault != "loop"]
    counts = [requests[f"/img/{fault}.jpg"] for fault in failed]
    # Some are asked for again at once; a URL that is refused like one of too many is asked six times more.
    again = [requests[f"/img/{fault}.jpg"] for fault, end in IMAGE_FAULTS.items() if end in doubtful]
    assert min(again) >= ATTEMPTS
    assert ATTEMPTS <= median(counts) <= ATTEMPTS + 1 and max(counts) <= ATTEMPTS + 12
    assert "/img/forbidden.jpg" not in requests


def test_pages(crawled: Crawled) -> None:
    counts = summary(crawled.folder, "faults")
    assert counts["pages_by_reason"] == {reason: len(pages) for reason, pages in PAGE_FAULTS.items()}
    shown = {name.removeprefix("page-") for _, name in crawled.rows if name.startswith("page-")}
    assert shown == set(READ_PAGES)
    assert all(crawled.end("images", f"page-{page}") == OK for page in READ_PAGES)


def test_one_page_under_many_urls_is_read_once(crawled: Crawled) -> None:
    assert crawled.rows["images", "visit"]["page_urls"][0].endswith("/visit")
    for host, path in (("shop", "/visits"), ("shop", "/visit"), ("images", "/img/visit.jpg")):
        # A good page may be requested once more, to see whether a 403 concerns another page alone.
        assert crawled.requests[host][path] <= 2


def test_endless_paginations_end(crawled: Crawled) -> None:
    read = Counter(path.split("/")[1] for path in crawled.requests["shop"])
    assert read["same"] == 2, "a page without new products is the last"
    assert read["new"] == LAST_CATEGORY_PAGE < LAST_PAGE
    notes = summary(crawled.folder, "faults")["notes"]
    assert any(f"stopped at {LAST_CATEGORY_PAGE} pages of" in note for note in notes)
    assert sum(name.startswith("endless-") for _, name in crawled.rows) == LAST_CATEGORY_PAGE + 1


@pytest.mark.parametrize("kind", HOSTILE_TEXT)
def test_untrusted_text_is_kept_in_the_tables(crawled: Crawled, kind: str) -> None:
    text = {"terminal": "[31mred 0m"}.get(kind) or " ".join(HOSTILE_TEXT[kind].split())
    row = next(
        row for row in crawled.rows.values() if row["page_urls"][0].endswith(f"/hostile-product/{kind}")
    )
    assert row["status"] == "ok" and row["store_classes"] == [text]
    products = read_table(crawled.folder / "data/raw/faults/products.parquet", PRODUCTS).to_pylist()
    product = next(
        product for product in products if product["page_url"].endswith(f"/hostile-product/{kind}")
    )
    assert product["title"] == text and json.loads(product["attributes"]) == {text: text}


def test_untrusted_text_reaches_no_path_and_no_terminal(crawled: Crawled) -> None:
    for path in crawled.folder.rglob("*"):
        assert re.fullmatch(r"[a-z0-9._/-]+", path.relative_to(crawled.folder).as_posix())
        assert "pwned" not in path.name
    assert crawled.output.isascii() and crawled.output.replace("\n", "").isprintable()
    assert not any(word in crawled.output for word in ("pwned", "script", "stone", "very long", "Warning"))


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
