"""The examples of docs/api.md run, one after the other, in an empty folder."""

import re
import shutil
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.helpers.commands import ROOT, command
from tests.helpers.project import share_rendered

PAGE = ROOT / "docs/api.md"

#: Packages whose public functions all have an example.
PACKAGES = ("scraper", "curation", "gemtrain")

#: Like a notebook, it runs code that is in no file of Python.
RUN = "import pathlib, sys; exec(compile(pathlib.Path(sys.argv[1]).read_text(), 'docs/api.md', 'exec'))"


def examples() -> str:
    """The Python blocks of the page; other lines are empty, so that tracebacks show the lines of the page."""
    lines, is_code = [], False
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            is_code = line == "```python"
        lines.append(line if is_code and not line.startswith("```") else "")
    return "\n".join(lines)


@pytest.mark.timeout(600)
def test_the_examples_run_in_order(tmp_path: Path, rendered: Path, pipeline: Path) -> None:
    script = tmp_path / "examples.txt"
    script.write_text(examples())
    folder = tmp_path / "empty"
    folder.mkdir()
    # To render and measure the images would take longer than all examples.
    share_rendered(rendered, folder / "my-gems")
    shutil.copy(pipeline / ".cache/measure.sqlite", folder / "my-gems/.cache")
    printed = command(sys.executable, "-c", RUN, str(script), cwd=folder).stdout.splitlines()
    shown = re.findall(r"  # prints (.*)", examples())
    assert shown and not [line for line in shown if line not in printed]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_function_has_an_example(package: str) -> None:
    functions = [name for name in import_module(package).__all__ if name.islower()]
    assert functions
    assert not [name for name in functions if not re.search(rf"\b{name}\(", examples())]
