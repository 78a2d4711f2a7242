"""A small demo store, crawled once, and folders to run the commands in."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent

#: Small enough for tests, large enough that every kind of dirt and every variety occurs.
SEED, SCALE = 5, 0.12

#: The curation's stages, in order.
CURATION = (
    ("gemcurate", "measure", "--site", "demo"),
    ("gemcurate", "clean"),
    ("gemcurate", "crop"),
    ("gemcurate", "split"),
    ("gemcurate", "balance", "--dataset", "d1k"),
    ("gemcurate", "balance", "--dataset", "d2k"),
)


def command(
    *arguments: str, cwd: Path, expect: int = 0, cores: set[int] | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run one of the project's commands as a person would, on `cores` or all; `expect` is its exit code."""
    done = subprocess.run(
        [str(BIN / arguments[0]), *arguments[1:]],
        cwd=cwd,
        env=child_environment(**environment),
        capture_output=True,
        text=True,
        timeout=280,
        preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
    )
    assert done.returncode == expect, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done


def child_environment(**environment: str) -> dict[str, str]:
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "true", **environment}


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """Start a command in a process group of its own, so that a signal reaches all its workers or only it."""
    return subprocess.Popen(
        [str(BIN / arguments[0]), *arguments[1:]],
        cwd=cwd,
        env=child_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Whoever runs the tests in the background has Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def signal_when(
    process: subprocess.Popen[str], ready: Callable[[], bool], number: signal.Signals, seconds: float = 120
) -> tuple[int, str]:
    """Send `number` to the process alone as soon as `ready()`; its exit code and what it said."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and not ready():
        assert time.monotonic() < deadline, "the command never got to the point where it was to be stopped"
        time.sleep(0.02)
    assert process.poll() is None, f"ended before the signal: {process.communicate()}"
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def small_params(**changes: dict[str, object]) -> dict[str, object]:
    """The project's own params.yaml, made small: a tenth of the store, small crops, a few training steps."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["crawl"]["demo"] = {"seed": SEED, "scale": SCALE}
    params["crop"]["size"] = 64
    params["balance"]["datasets"]["d1k"].update(target=60, minimum=20)
    params["balance"]["datasets"]["d2k"].update(target=120, minimum=60)
    for recipe in params["train"]["recipes"].values():
        recipe.update(image_size=64, max_steps=6)
    for section, change in changes.items():
        params[section] = {**params[section], **change} if isinstance(change, dict) else change
    return params


def set_up(folder: Path, **changes: dict[str, object]) -> Path:
    """Put params.yaml and labels/ into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(small_params(**changes), sort_keys=False))
    shutil.copytree(ROOT / "labels", folder / "labels", dirs_exist_ok=True)
    return folder


def set_param(folder: Path, path: str, value: object) -> None:
    """Change one value of a folder's params.yaml, named by its key's path."""
    params = yaml.safe_load((folder / "params.yaml").read_text())
    *sections, key = path.split(".")
    inside = params
    for section in sections:
        inside = inside[section]
    inside[key] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder with small parameters, as the current folder."""
    set_up(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `.cache` that holds the demo store's photos, so that they are rendered once a session."""
    from scraper.demo_store.server import start as start_store

    folder = tmp_path_factory.mktemp("rendered")
    before = Path.cwd()
    os.chdir(folder)
    try:
        with start_store(SEED, SCALE):
            pass
    finally:
        os.chdir(before)
    return folder / ".cache" / "demo_store"


@pytest.fixture(scope="session")
def store(rendered: Path) -> Iterator[object]:
    """The running demo store, with its default limits."""
    from scraper.demo_store.server import start as start_store

    before = Path.cwd()
    os.chdir(rendered.parent.parent)
    try:
        context = start_store(SEED, SCALE)
        with context as running:
            os.chdir(before)
            yield running
    finally:
        os.chdir(before)


@pytest.fixture(scope="session")
def crawled(tmp_path_factory: pytest.TempPathFactory, rendered: Path) -> Path:
    """A project folder in which the demo store has been crawled. Copy it before you change it."""
    folder = set_up(tmp_path_factory.mktemp("crawled"))
    share_rendered(rendered, folder)
    command("gemscrape", "crawl", "--site", "demo", cwd=folder)
    return folder


def share_rendered(rendered: Path, folder: Path) -> None:
    (folder / ".cache").mkdir(exist_ok=True)
    shutil.copytree(rendered, folder / ".cache" / "demo_store", copy_function=os.link)


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory, crawled: Path) -> Path:
    """A project folder in which every stage ran once. Copy it before you change it."""
    folder = tmp_path_factory.mktemp("pipeline") / "project"
    shutil.copytree(crawled, folder)
    for stage in (
        *CURATION,
        ("gemtrain", "train", "--dataset", "d1k", "--recipe", "gemnet"),
        ("gemtrain", "evaluate", "--dataset", "d1k", "--recipe", "gemnet"),
    ):
        command(*stage, cwd=folder)
    return folder


@pytest.fixture
def project(tmp_path: Path, pipeline: Path) -> Path:
    """A copy of the finished project folder that a test may change."""
    folder = tmp_path / "project"
    shutil.copytree(pipeline, folder)
    return folder
