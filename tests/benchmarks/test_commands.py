"""Every benchmark can be run, and the documentation names only those that exist."""

import ast
import re

import pytest

from benchmarks import __main__ as run_all
from gemkit.imports import module_file
from tests.helpers.commands import ROOT

NAMES = list(run_all.names())


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_has_a_main_function(name: str) -> None:
    path = module_file(name)
    assert path is not None
    body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
    assert "main" in [node.name for node in body if isinstance(node, ast.FunctionDef)]


def test_all_folders_are_searched() -> None:
    assert {"benchmarks.startup", "benchmarks.crawling.speed", "benchmarks.curation.crop"} <= set(NAMES)
    assert set(NAMES) >= run_all._HOURS
    assert not [name for name in NAMES if "._" in name]


def test_documented_commands_name_modules_that_exist() -> None:
    files = [*ROOT.glob("*.md"), ROOT / "Makefile"]
    for folder in ("benchmarks", "curation", "docs", "gemkit", "gemtrain", "scraper", "tools"):
        files += [path for suffix in ("md", "py") for path in (ROOT / folder).rglob(f"*.{suffix}")]
    commands = {
        (str(path.relative_to(ROOT)), name)
        for path in files
        for name in re.findall(r"python -m\s+((?:benchmarks|tools)[\w.]*)", path.read_text(encoding="utf-8"))
    }
    assert len(commands) > 20
    assert not {(path, name) for path, name in commands if module_file(name.rstrip(".")) is None}
