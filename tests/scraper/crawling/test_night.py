"""Everything at once: a limiter, broken answers, a restart, and a host that goes down for good."""

from pathlib import Path

import pytest

from benchmarks.crawling._broken_shop import BrokenShop, serve
from benchmarks.crawling.night import Night, lost, through_the_night
from tests.helpers.broken_crawls import crawl, stored
from tests.helpers.crawl_results import check_files

LIMITS = "requests_per_second = 60\ntimeout_seconds = 1\nattempts = 3\nlongest_wait_seconds = 4"


@pytest.mark.slow
def test_a_night_loses_only_what_a_dead_host_had(tmp_path: Path, short_pauses: None) -> None:
    with serve(BrokenShop(60), cdns=2) as served:

        def run() -> int:
            return crawl(tmp_path, served, "html", LIMITS, expect=None).returncode

        code = through_the_night(served, Night(rate=60, allowed=50, outage=1.5), run)
        up, down = lost(served, stored(tmp_path))
        assert (code, up) == (3, set())
        assert down, "the host went down before its last image"
    check_files(tmp_path)
