"""`gemscrape status` of a crawl that is running, interrupted, blocked or finished."""

import json
import time
from pathlib import Path

import pytest

from gemkit.project import Project
from scraper.crawling.crawl import crawl
from scraper.stores.config import load_site
from tests.helpers.commands import called, signal, start
from tests.helpers.crawl_shop import Reply, Shop


def status(folder: Path, site: str = "shop.toml") -> str:
    return called("gemscrape", "status", "--site", site, cwd=folder).stdout


def test_a_site_never_crawled(tmp_path: Path) -> None:
    with Shop() as shop:
        shop.site(tmp_path)
    done = called("gemscrape", "status", "--site", "shop.toml", cwd=tmp_path, expect=2)
    assert done.stderr == "error: 'shop' was never crawled here; there are no crawled sites.\n"
    state = tmp_path / ".cache/crawl/shop.sqlite"
    state.parent.mkdir(parents=True)
    state.touch()
    done = called("gemscrape", "status", "--site", "shpo", cwd=tmp_path, expect=2)
    assert done.stderr == (
        "error: 'shpo' was never crawled here; did you mean 'shop'? The crawled sites are shop.\n"
    )


def test_while_it_runs_after_a_kill_and_at_its_end(tmp_path: Path) -> None:
    with Shop(products=40, rate=25.0) as shop:
        site = shop.site(tmp_path)
        process = start("gemscrape", "crawl", "--site", site, cwd=tmp_path)
        heartbeat = tmp_path / ".cache/crawl/shop.heartbeat.json"
        deadline = time.monotonic() + 30
        while not heartbeat.exists() or json.loads(heartbeat.read_text())["phase"] != "download":
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        output = status(tmp_path)
        assert "crawling since" in output and "of 80 listed" in output
        assert f"{shop.host}  " in output and "of 25/s allowed" in output
        process.send_signal(signal.SIGKILL)
        process.communicate()
        output = status(tmp_path)
        assert "reports" not in output, "no crawl has ended yet"
        assert "unfinished" in output and "to do" in output and shop.host not in output
        shop.rate = 1000.0
        called("gemscrape", "crawl", "--site", shop.site(tmp_path), cwd=tmp_path)
        output = status(tmp_path)
    assert "reports/crawl/shop.json" in output
    assert "finished on" in output and "80 of 80 listed done" in output and "80 ok" in output


@pytest.mark.usefixtures("short_backoff")
def test_a_block_is_shown(tmp_path: Path) -> None:
    with Shop(products=2) as shop:
        shop.replies = {path: [Reply(429, headers={"Retry-After": "5000"})] for path in shop.images}
        site = shop.site(tmp_path)
        assert crawl(Project(tmp_path), load_site(tmp_path / site)).ended == "blocked"
        output = status(tmp_path)
    assert f"{shop.host}  blocked until" in output and "HTTP 429" in output and "4 blocked" in output
