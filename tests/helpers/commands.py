"""Run the project's commands in a separate process, as a user does, or in this one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from importlib.metadata import entry_points
from io import StringIO
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Where the project's commands are installed.
BIN = Path(sys.executable).parent


def command(
    *arguments: str, cwd: Path, expect: int = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run one of the project's commands in a separate process; `expect` is its exit code."""
    done = subprocess.run(
        [str(BIN / arguments[0]), *arguments[1:]],
        cwd=cwd,
        env=child_environment(**environment),
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == expect, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done


def child_environment(**environment: str) -> dict[str, str]:
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "true", **environment}


def cpu_seconds() -> float:
    """CPU time of finished commands. Unlike their duration, it does not depend on the load of the machine."""
    times = os.times()
    return times.children_user + times.children_system


def called(*arguments: str, cwd: Path, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Like `command`, but in this process, where the slow imports have been done already.

    With None as `expect`, any exit code is right.
    """
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
    assert expect in (None, done.returncode), f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """Start a command in its own process group, so that signals can be sent to it or to its workers too."""
    return subprocess.Popen(
        [str(BIN / arguments[0]), *arguments[1:]],
        cwd=cwd,
        env=child_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Shells ignore Ctrl-C in background jobs, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@contextmanager
def started(*arguments: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """Like `start`; the command is killed when the block ends, should it still run or be stopped."""
    process = start(*arguments, cwd=cwd)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def signal_when(
    process: subprocess.Popen[str], ready: Callable[[], bool], number: signal.Signals, seconds: float = 120
) -> tuple[int, str]:
    """Send a signal to the process alone as soon as `ready()`. Returns its exit code and stderr."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and not ready():
        assert time.monotonic() < deadline, "the command never became ready for the signal"
        time.sleep(0.02)
    assert process.poll() is None, f"ended before the signal: {process.communicate()}"
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    return process.returncode, stderr
