"""`gemscrape plan`: what it counts, what it fetches, and that the crawl does not fetch it again."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks._shared import EXTERNAL
from gemkit.errors import UserError
from gemkit.project import Project
from gemkit.text import printable
from scraper.crawling.crawl import crawl as crawl_site
from scraper.crawling.plan import SAMPLE, Disk, duration, plan_links, size
from scraper.crawling.plan import plan as plan_site
from scraper.storage.crawl_state import CrawlState, state_file
from scraper.stores.config import load_site
from tests.helpers.commands import called, command, cpu_seconds
from tests.helpers.crawl_results import check_files, crawl, images
from tests.helpers.crawl_shop import Reply, Shop, jpeg
from tests.helpers.link_sites import links_site, listed

PUBLISHED = EXTERNAL / "gempundit/image_links.csv.gz"

LINKS = """class,image_url
Opal,http://cdn.test/a.jpg
Opal,http://cdn.test/b.jpg
Opal,http://cdn.test/b.jpg
Fire Opal,http://cdn.test/b.jpg
Fire Opal,http://other.test/c.jpg
Ruby,http://cdn.test/b.jpg
Ruby,http://cdn.test/d.jpg
Ruby
"""


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop(products=20) as shop:
        yield shop


def plan(folder: Path, site: str) -> str:
    """Plan a site in this process; returns what is printed."""
    planned, summary = plan_site(Project(folder), load_site(folder / site))
    assert planned is not None and summary.ended == "finished"
    return "\n".join(planned.lines())


@pytest.mark.skipif(not PUBLISHED.exists(), reason="needs the published list of links")
def test_the_published_list(tmp_path: Path) -> None:
    script = (
        "import atexit, pathlib; from scraper.cli import main;"
        # Not getrusage: its peak includes that of the process this one was forked from.
        "atexit.register(lambda: print(pathlib.Path('/proc/self/status').read_text())); main()"
    )
    before = cpu_seconds()
    output = command(sys.executable, "-c", script, "plan", "--links", str(PUBLISHED), cwd=tmp_path).stdout
    seconds, peak = cpu_seconds() - before, re.search(r"VmHWM:\s+(\d+) kB", output)
    assert "118,915 links" in output and "73,432 distinct" in output and "6,482 images in several" in output
    assert re.search(r"2,393 +Australian Opal / Opal\n", output)
    assert re.search(r"22,414 +10,972 +9,135 +Emerald", output)
    assert "20 h 24 min" in output
    assert seconds < 10 and peak is not None and int(peak[1]) < 500_000, (seconds, peak)


def test_a_bare_list_is_planned_offline(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(LINKS)
    output = called("gemscrape", "plan", "--links", "list.csv", cwd=tmp_path).stdout
    for part in ("7 links in 3 classes", "4 distinct", "3 links (42.9%)", "lines skipped", "line 9"):
        assert part in output
    assert "assumed" in output and "disk      unknown" in output
    assert [path.name for path in tmp_path.iterdir()] == ["list.csv"]


def test_a_bare_list_takes_the_rate_of_a_site(tmp_path: Path, shop: Shop) -> None:
    """Hosts are contacted in parallel: three of four images are on one."""
    (tmp_path / "list.csv").write_text(LINKS)
    site, links, project = tmp_path / shop.site(tmp_path), tmp_path / "list.csv", Project(tmp_path)
    assert plan_links(links).seconds == 3
    assert plan_links(links, load_site(site)).seconds == 3 / 200
    site.write_text(site.read_text().replace("requests_per_second = 200.0", ""))
    assert "the rate is not known yet" in "\n".join(plan_links(links, load_site(site), project).lines())
    state = CrawlState(state_file(project, "shop"), project.raw("shop"))
    state.hosts.save_rate("cdn.test", 4, True)
    state.hosts.save_rate("other.test", 1, True)
    state.close()
    assert plan_links(links, load_site(site), project).seconds == 1
    assert plan_links(links, load_site(site)).seconds is None, "another project may know another rate"
    assert not shop.requests


def test_a_plan_is_the_first_part_of_a_crawl(tmp_path: Path, shop: Shop) -> None:
    site = shop.site(tmp_path)
    output = plan(tmp_path, site)
    for part in (
        "shop: 60 links in 2 classes",
        "pages     32 requested",
        "40 distinct; 20 links (33.3%)",
        "20 images in several classes",
        "products  20, with 40 images",
        "stored    30 images; 10 to fetch, 0 to check",
        "10 images at 200 a second",
    ):
        assert part in output, output
    assert re.search(r"disk +[\d.]+ k?B ± [\d.]+ k?B for 10 images, from 30 of", output), output
    assert re.search(r"40 +40 +20  Ruby\n +20 +20 +0  Red stones$", output), output
    sampled = set(shop.image_requests())
    assert len(sampled) == SAMPLE and {f"gp{n}-" for n in (0, 5, 9, 12, 19)} <= {
        path[5:-5] for path in sampled
    }
    check_files(tmp_path)
    assert len(images(tmp_path)) == SAMPLE and not (tmp_path / "metrics").exists()
    assert "32 requested" in plan(tmp_path, site) and set(shop.image_requests()) == sampled
    counts = crawl(tmp_path, shop)
    assert (counts["pages"], counts["added"]) == (0, 10)
    assert max(count for path, count in shop.counts.items() if path != "/robots.txt") == 1
    assert len(images(tmp_path)) == 40
    requests = shop.image_requests()
    assert "0 to fetch, 40 to check" in plan(tmp_path, site)
    assert shop.image_requests() == requests, "enough images are stored to estimate their size"


def test_a_plan_of_a_links_site(tmp_path: Path, shop: Shop) -> None:
    lines = [*listed(shop), ("Opal", "/img/missing-1.jpg")]
    site = links_site(tmp_path, shop, lines)
    with (tmp_path / "lists/shop.csv").open("a") as file:
        file.write("Opal,http://evil.example/gp9-1.jpg\n,\n,x\n")
    for path in list(shop.images)[1::2]:
        shop.replies[path] = [Reply(404)]
    output = plan(tmp_path, site)
    for part in (
        "42 distinct",
        "refused   1, on hosts",
        "of the sample not stored, gone: HTTP 404: 13",
        "11 images, from 30 of",
        "lines skipped without a class: 1, the first is line 64",
        "products  20, with 41 images",
    ):
        assert part in output, output
    assert shop.image_requests().total() == SAMPLE and "pages" not in output
    crawl_site(Project(tmp_path), load_site(tmp_path / site))
    assert len(shop.image_requests()) == 41 and max(shop.image_requests().values()) == 1


def test_a_plan_names_the_classes_that_could_not_be_read(tmp_path: Path) -> None:
    with Shop(products=1) as shop:
        shop.replies["/c/red/1"] = [Reply(404)]
        shop.images.pop("/img/gp0-2.jpg")
        output = plan(tmp_path, shop.site(tmp_path))
        assert "shop: 1 link in 1 class\n" in output and "1 images" not in output
        assert "unread" not in output, "a class that is gone"
    with Shop() as shop:
        (tmp_path / ".cache/crawl/shop.sqlite").unlink()
        shop.replies = {"/c/red/1": [Reply(500)], "/p/gp1": [Reply(500)]}
        output = plan(tmp_path, shop.site(tmp_path))
        lines = r"unread .*\n +Red stones: 1 page \(HTTP 500\)\n +Ruby: 1 page \(HTTP 500\)\n"
        assert re.search(lines, output), output
        assert "in 1 class\n" in output


def test_a_block_ends_a_plan_with_partial_results(tmp_path: Path, shop: Shop) -> None:
    site = shop.site(tmp_path)
    shop.replies = {path: [Reply(429, headers={"Retry-After": "5000"})] for path in shop.images}
    done = called("gemscrape", "plan", "--site", site, cwd=tmp_path, expect=3)
    assert "40 distinct" in done.stdout and "disk      unknown" in done.stdout
    assert "blocked us" in done.stderr
    shop.replies = {"/gems": [Reply(429, headers={"Retry-After": "5000"})]}
    (tmp_path / ".cache/crawl/shop.sqlite").unlink()
    planned, summary = plan_site(Project(tmp_path), load_site(tmp_path / site))
    assert planned is None and summary.ended == "blocked"


def test_the_disk_estimate_is_within_its_error() -> None:
    sizes = [len(jpeg(seed, side=40 + seed % 7)) for seed in range(600)]
    within = 0
    for first in range(20):
        sample = sizes[first::20]
        disk = Disk.estimate(sample, len(sizes) - len(sample))
        assert disk is not None and disk.error < disk.rest / 4
        within += abs(disk.rest - (sum(sizes) - sum(sample))) <= disk.error
    assert within >= 17
    assert Disk.estimate([5], 10) is None and Disk.estimate([0, 0, 0], 10) is None
    certain = Disk.estimate([7] * 30, 10)
    assert certain is not None and (certain.rest, certain.error) == (70, 0)


def test_untrusted_text_cannot_control_the_terminal(tmp_path: Path) -> None:
    name = "\x1b[2J\u202eRuby\x07\x9b" + "x" * 300
    (tmp_path / "list.csv").write_text(f"class,image_url\n{name},http://cdn.test/a.jpg\n")
    output = "\n".join(plan_links(tmp_path / "list.csv").lines())
    assert "Ruby" in output and all(character.isprintable() or character == "\n" for character in output)
    assert max(map(len, output.splitlines())) < 110
    assert printable("Rubin ✨ יהלום") == "Rubin ✨ יהלום"


def test_missing_arguments_and_settings_are_named(tmp_path: Path) -> None:
    for arguments, word in (((), "--links"), (("--links", "none.csv"), "none.csv")):
        done = called("gemscrape", "plan", *arguments, cwd=tmp_path, expect=2)
        assert done.stderr.startswith("error: ") and word in done.stderr and done.stderr.count("\n") == 1
    with pytest.raises(UserError, match="contact"):
        plan_site(Project(tmp_path), load_site("gempundit"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (119, "2 min"),
        (3599, "1 h 0 min"),
        (73432, "20 h 24 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (70_512, "70.5 kB"), (5.2e9, "5.2 GB"), (3e15, "3e+03 TB")],
)
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text
