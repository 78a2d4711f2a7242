"""Measure what comes before any work: imports, `--help`, and the size of the base installation.

python -m benchmarks.startup
"""

import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks._commands import table
from benchmarks._shared import ROOT

_COMMANDS = ("gemscrape", "gemcurate", "gemtrain")
_PACKAGES = ("scraper", "curation", "gemtrain")
_ROUNDS = 5
_LARGEST = 8


def main() -> None:
    """Time imports and help, with an interpreter that does nothing for comparison; then install and weigh."""
    rows = []
    for arguments in (
        [sys.executable, "-c", ""],
        *([sys.executable, "-c", f"import {package}"] for package in _PACKAGES),
        *([str(Path(sys.executable).with_name(name)), "--help"] for name in _COMMANDS),
    ):
        words = [Path(arguments[0]).name, *arguments[1:]]
        rows.append([" ".join(words).strip(), f"{_best_seconds(arguments):.2f}"])
    print(table(["best of five", "seconds"], rows), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        print(f"\n{_base_installation(Path(folder))}")


def _best_seconds(arguments: Sequence[str]) -> float:
    seconds = []
    for _ in range(_ROUNDS):
        begin = time.perf_counter()
        subprocess.run(arguments, check=True, capture_output=True)
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def _base_installation(folder: Path) -> str:
    """Install without extras into a new environment: what that downloads, and what takes how much on disk."""
    wheels, environment = folder / "wheels", folder / "environment"
    pip = [sys.executable, "-m", "pip", "--quiet"]
    downloaded = subprocess.run([*pip, "download", "--dest", str(wheels), str(ROOT)], capture_output=True)
    if downloaded.returncode != 0:
        return "The base installation was not measured: pip reaches no package index."
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    offline = ["--no-index", "--find-links", str(wheels)]
    subprocess.run(
        [*pip, "--python", str(environment), "install", *offline, *map(str, wheels.iterdir())], check=True
    )
    (packages,) = environment.glob("lib/python*/site-packages")
    sizes: Counter[str] = Counter()
    for file in packages.rglob("*"):
        if file.is_file():
            sizes[file.relative_to(packages).parts[0].removesuffix(".libs")] += file.stat().st_size
    rows = [
        ["downloaded", _megabytes(sum(wheel.stat().st_size for wheel in wheels.iterdir()))],
        ["on disk, with bytecode", _megabytes(sizes.total())],
        *([f"  {name}", _megabytes(size)] for name, size in sizes.most_common(_LARGEST)),
    ]
    return table(["base installation", "MB"], rows)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"


if __name__ == "__main__":
    main()
