"""Fixtures shared by all tests: a small demo store, crawled once, and project folders."""

import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.helpers.browser import CHROMIUM, FLAGS
from tests.helpers.commands import called, command
from tests.helpers.heavy import is_heavy
from tests.helpers.project import CURATION, SCALE, SEED, set_up, share_rendered

# Several threads would only slow down such small workloads, here and in the commands.
os.environ["OMP_NUM_THREADS"] = "1"

# On a busy machine even simple examples are slow to generate.
settings.register_profile("busy", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark heavy tests, so that `make test-fast` can leave them out, and start the longest ones first.

    A test with a time limit of its own that starts last would leave one core idle to the end. Those that use
    the demo store come last, so that no worker waits for another one that still crawls it.
    """
    items.sort(key=_rank)
    for item in items:
        if isinstance(item, pytest.Function) and is_heavy(item):
            item.add_marker("heavy")


def _rank(item: pytest.Item) -> tuple[bool, bool]:
    uses_store = isinstance(item, pytest.Function) and "rendered" in item.fixturenames
    return item.get_closest_marker("timeout") is None, uses_store


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new project folder with small parameters, as the current folder."""
    set_up(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def _keep_denormals() -> Iterator[None]:
    """A command of gemtrain flushes denormals in its whole process; floats in other tests must not change."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder `name` of this session, filled by `make` in the first pytest-xdist worker that needs it.

    The other workers wait for it.
    """
    session = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        session = session.parent
    folder, unfinished = session / name, session / f"{name}.unfinished"
    with (session / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `.cache` with the photos of the demo store, which are rendered once per session."""
    from scraper.demo_store.server import start as start_store

    def render(folder: Path) -> None:
        with start_store(SEED, SCALE, cache=folder):
            pass

    return made_once(tmp_path_factory, "rendered", render)


@pytest.fixture(scope="session")
def crawled(tmp_path_factory: pytest.TempPathFactory, rendered: Path) -> Path:
    """A project folder after a crawl of the demo store. Copy it before you change it."""

    def crawl(folder: Path) -> None:
        set_up(folder)
        share_rendered(rendered, folder)
        command("gemscrape", "crawl", "--site", "demo", cwd=folder)

    return made_once(tmp_path_factory, "crawled", crawl)


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory, crawled: Path) -> Path:
    """A project folder after one run of every stage. Copy it before you change it."""

    def run(folder: Path) -> None:
        shutil.copytree(crawled, folder, dirs_exist_ok=True)
        for stage in (
            *CURATION,
            ("gemtrain", "train", "--dataset", "d1k", "--recipe", "gemnet"),
            ("gemtrain", "evaluate", "--dataset", "d1k", "--recipe", "gemnet"),
        ):
            called(*stage, cwd=folder)

    return made_once(tmp_path_factory, "pipeline", run)


@pytest.fixture
def project(tmp_path: Path, pipeline: Path) -> Path:
    """A copy of `pipeline` that a test may change."""
    folder = tmp_path / "project"
    shutil.copytree(pipeline, folder)
    return folder


@pytest.fixture
def gems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the dataset `gems` and parameters for a few training steps, as the current folder."""
    from tests.helpers.textures import make_dataset, write_params

    monkeypatch.chdir(tmp_path)
    make_dataset()
    write_params()
    return tmp_path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    if CHROMIUM is None:
        pytest.skip("Debian's package chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()
