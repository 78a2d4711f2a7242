"""A small demo store, crawled once, and folders to run the commands in."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from importlib.metadata import entry_points
from io import StringIO
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

# So little work is only held up by several threads, here and in the commands.
os.environ["OMP_NUM_THREADS"] = "1"


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


def cpu_seconds() -> float:
    """CPU time of the commands that have ended: unlike their duration no matter of what else runs here."""
    times = os.times()
    return times.children_user + times.children_system


def called(*arguments: str, cwd: Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    """Like `command`, but in this process, which has loaded what commands take seconds to load."""
    (script,) = entry_points(group="console_scripts", name=arguments[0])
    stdout, stderr = StringIO(), StringIO()
    on_interrupt = signal.getsignal(signal.SIGINT)
    with (
        pytest.MonkeyPatch.context() as patch,
        chdir(cwd),
        redirect_stdout(stdout),
        redirect_stderr(stderr),
        pytest.raises(SystemExit) as end,
    ):
        patch.setattr(sys, "argv", list(arguments))
        script.load()()
    signal.signal(signal.SIGINT, on_interrupt)
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)
    done = subprocess.CompletedProcess(arguments, end.value.code or 0, stdout.getvalue(), stderr.getvalue())
    assert done.returncode == expect, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done


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


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder `name` of this session, filled by `make` in the first worker of pytest-xdist that needs it.

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
    """A `.cache` that holds the demo store's photos, so that they are rendered once a session."""
    from scraper.demo_store.server import start as start_store

    def render(folder: Path) -> None:
        with start_store(SEED, SCALE, cache=folder):
            pass

    return made_once(tmp_path_factory, "rendered", render)


@pytest.fixture(scope="session")
def crawled(tmp_path_factory: pytest.TempPathFactory, rendered: Path) -> Path:
    """A project folder in which the demo store has been crawled. Copy it before you change it."""

    def crawl(folder: Path) -> None:
        set_up(folder)
        share_rendered(rendered, folder)
        command("gemscrape", "crawl", "--site", "demo", cwd=folder)

    return made_once(tmp_path_factory, "crawled", crawl)


def share_rendered(rendered: Path, folder: Path) -> None:
    shutil.copytree(rendered, folder / ".cache", copy_function=os.link)


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory, crawled: Path) -> Path:
    """A project folder in which every stage ran once. Copy it before you change it."""

    def run(folder: Path) -> None:
        shutil.copytree(crawled, folder, dirs_exist_ok=True)
        for stage in (
            *CURATION,
            ("gemtrain", "train", "--dataset", "d1k", "--recipe", "gemnet"),
            ("gemtrain", "evaluate", "--dataset", "d1k", "--recipe", "gemnet"),
        ):
            command(*stage, cwd=folder)

    return made_once(tmp_path_factory, "pipeline", run)


@pytest.fixture
def project(tmp_path: Path, pipeline: Path) -> Path:
    """A copy of the finished project folder that a test may change."""
    folder = tmp_path / "project"
    shutil.copytree(pipeline, folder)
    return folder
