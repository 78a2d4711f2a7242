"""Crawl shops with broken parts by the command line, in this process."""

import subprocess
from pathlib import Path

from benchmarks.crawling._broken_shop import Form, Served
from tests.helpers.commands import called
from tests.helpers.crawl_results import images
from tests.helpers.project import empty_project

#: A loopback server answers at once: half a second is long.
LIMITS = "requests_per_second = 200\ntimeout_seconds = 0.5\nattempts = 2\nlongest_wait_seconds = 30"


def crawl(
    folder: Path, served: Served, form: Form = "links", limits: str = LIMITS, expect: int | None = 0
) -> subprocess.CompletedProcess[str]:
    """One run of `gemscrape crawl` at a served shop; with None as `expect`, any exit code is right."""
    empty_project(folder)
    site = served.site(folder, form, limits)
    return called("gemscrape", "crawl", "--site", site, cwd=folder, expect=expect)


def stored(folder: Path) -> set[str]:
    """The paths of the URLs whose images are stored."""
    return {path for path, row in images(folder).items() if row["path"] is not None}
