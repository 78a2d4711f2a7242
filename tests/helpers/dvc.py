"""Run DVC in a project of its own."""

import json
import subprocess
from pathlib import Path

from curation.cropping.rembg_weights import fetch
from tests.helpers.commands import BIN, child_environment


def run(*arguments: str, cwd: Path, **environment: str) -> str:
    """Run a command in a project, with the weights that are on this machine. Returns its output."""
    done = subprocess.run(
        arguments,
        cwd=cwd,
        env=child_environment(U2NET_HOME=str(fetch("u2netp").parent), **environment),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout + done.stderr


def repro(folder: Path, *stages: str, **environment: str) -> set[str]:
    """Run the pipeline, or only these stages and those before them. Returns the names of those that ran."""
    lines = run(str(BIN / "dvc"), "repro", *stages, cwd=folder, **environment).splitlines()
    return {line.split("'")[1] for line in lines if line.startswith("Running stage")}


def stale(folder: Path, **environment: str) -> set[str]:
    """The names of the stages that would run again, according to `dvc status`."""
    return set(json.loads(run(str(BIN / "dvc"), "status", "--json", cwd=folder, **environment)))
