"""Run a command while one of its folders is on a disk of its own, which is full."""

import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.helpers.commands import BIN, child_environment

#: Mount a small file system, run the command, make room, run it again, and copy the folder out.
_SCRIPT = """
set -e
place=$1 size=$2 results=$3; shift 3
mkdir -p "$place" "$results"
mount -t tmpfs -o "$size" none "$place"
"$@" >"$results/full.out" 2>"$results/full.err" && echo 0 >"$results/full" || echo $? >"$results/full"
mount -o remount,size=64m,nr_inodes=10000 "$place"
"$@" >"$results/free.out" 2>"$results/free.err" && echo 0 >"$results/free" || echo $? >"$results/free"
cp -a . "$results/project"
"""

_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


@cache
def mounts_allowed() -> bool:
    """Whether this user may mount a file system in a namespace."""
    script = "mount -t tmpfs -o size=4k none /mnt"
    try:
        return subprocess.run([*_NAMESPACE, "sh", "-c", script], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


class Run(NamedTuple):
    """How a command ended."""

    code: int
    output: str
    errors: str


def on_a_full_disk(folder: Path, place: str, size: str, *arguments: str) -> tuple[Run, Run, Path]:
    """Run a command in a folder with `place` on a disk of a size, again once there is room.

    `size` has the options of a tmpfs. Returns both runs, and a copy of the folder as the second one left it.
    """
    results = folder.with_name(f"{folder.name}-results")
    program = [str(BIN / arguments[0]), *arguments[1:]]
    subprocess.run(
        [*_NAMESPACE, "sh", "-c", _SCRIPT, "sh", place, size, str(results), *program],
        cwd=folder,
        env=child_environment(),
        check=True,
        timeout=120,
    )
    return _run(results, "full"), _run(results, "free"), results / "project"


def _run(results: Path, name: str) -> Run:
    code, output, errors = ((results / f"{name}{end}").read_text() for end in ("", ".out", ".err"))
    return Run(int(code), output, errors)
