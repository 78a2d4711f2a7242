"""Run commands in benchmarks, in process groups that end with the benchmark."""

import ctypes
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

GEMSCRAPE = Path(sys.executable).with_name("gemscrape")
_GEMPUNDIT = Path(__file__).parents[1] / "scraper/sites/gempundit.toml"


@contextmanager
def running(
    command: Sequence[str | Path], folder: Path, core: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the command in a folder (on one core only, if given); its output goes to `output.txt` there.

    It is killed with all its children when the block ends, and on Linux also when this process is killed.
    """
    with (folder / "output.txt").open("ab") as output:
        process = subprocess.Popen(
            command if core is None else ["taskset", "--cpu-list", str(core), *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    try:
        yield process
    finally:
        kill(process)


def _die_with_parent() -> None:
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def kill(process: subprocess.Popen[bytes]) -> None:
    """kill -9 of the whole process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def finish(process: subprocess.Popen[bytes], folder: Path, seconds: float = 0.0) -> None:
    """Wait for a running command. Raises RuntimeError with the end of its output if it fails or times out."""
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        code = None
    if code != 0:
        ended = "took too long" if code is None else f"ended with {code}"
        raise RuntimeError(f"{process.args!r} {ended}:\n{output_tail(folder)}")


def output_tail(folder: Path) -> str:
    """The end of a command's output."""
    return (folder / "output.txt").read_text(errors="replace")[-2000:]


def replica_site(folder: Path, host: str, **limits: float) -> Path:
    """Write a site file for the replica into a folder, which becomes a project.

    It is the file of gempundit, with another host and other limits.
    """
    (folder / "params.yaml").write_text("sites: []\n", encoding="utf-8")
    text = _GEMPUNDIT.read_text(encoding="utf-8")
    text = text.replace("https://www.gempundit.com", f"http://{host}")
    text = re.sub(r'"(www|imgcdn1)\.gempundit\.com"', f'"{host}"', text)
    lines = "".join(f"{name} = {value}\n" for name, value in limits.items())
    text = re.sub(
        r"^\[limits\].*?(?=^\[)",
        f'contact = "bench@example.com"\n\n[limits]\n{lines}\n',
        text,
        flags=re.M | re.S,
    )
    path = folder / "replica.toml"
    path.write_text(text, encoding="utf-8")
    return path


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A text table with columns as wide as needed, the first left-aligned, the others right-aligned."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
