"""What the three command lines have in common."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer import Typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from curation.cli import app as gemcurate
from gemtrain.cli import app as gemtrain
from scraper.cli import app as gemscrape
from tests.helpers.commands import ROOT, child_environment, command

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
APPS = {"gemscrape": gemscrape, "gemcurate": gemcurate, "gemtrain": gemtrain}


def commands(group: TyperGroup | TyperCommand, *path: str) -> Iterator[tuple[str, ...]]:
    """The words of every command and group below and including `group`."""
    yield path
    for name, inner in getattr(group, "commands", {}).items():
        yield from commands(inner, *path, name)


EVERY = [(name, path) for name, app in APPS.items() for path in commands(get_command(app))]


def test_these_are_all_commands() -> None:
    assert set(APPS) == set(PROJECT["scripts"])
    assert ("gemcurate", ("taxonomy", "find")) in EVERY


@pytest.mark.parametrize(("name", "path"), EVERY, ids=lambda value: " ".join(value) or "-")
def test_every_command_explains_itself(name: str, path: tuple[str, ...]) -> None:
    short, long = (CliRunner().invoke(APPS[name], [*path, option]) for option in ("-h", "--help"))
    assert (short.exit_code, short.output) == (0, long.output) and "Usage:" in short.output


@pytest.mark.parametrize("app", APPS.values(), ids=APPS)
def test_without_arguments_a_command_shows_its_help(app: Typer) -> None:
    assert CliRunner().invoke(app, []).output.strip() == CliRunner().invoke(app, ["-h"]).output.strip()


@pytest.mark.parametrize("name", APPS)
def test_the_version_is_that_of_the_distribution(name: str) -> None:
    assert CliRunner().invoke(APPS[name], ["--version"]).output == f"{name} {PROJECT['version']}\n"


@pytest.mark.parametrize("name", APPS)
def test_python_m_runs_the_same_command(name: str) -> None:
    expected = command(name, "-h", cwd=ROOT).stdout
    assert f"Usage: {name} " in expected
    done = subprocess.run([sys.executable, "-m", name, "-h"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, expected)


def completions(line: str, folder: Path) -> list[str]:
    """What bash, with the command's own script, proposes for the last word of a line."""
    words = line.split(" ")
    script = (
        f"source <({words[0]} --show-completion)\n"
        f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}\n"
        f'_{words[0]}_completion {words[0]}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=child_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("gemscrape cra", ["crawl"]),
        ("gemscrape crawl --site de", ["demo"]),
        ("gemcurate taxonomy fi", ["find"]),
        ("gemcurate measure --site de", ["demo"]),
        ("gemcurate balance --dataset d", ["d1k", "d2k"]),
        ("gemtrain train --recipe jin2022", ["jin2022-resnet50"]),
        ("gemtrain predict --model d1k/g", ["d1k/gemnet"]),
    ],
)
def test_bash_completes_commands_and_names(workspace: Path, line: str, expected: list[str]) -> None:
    (workspace / "models/d1k/gemnet").mkdir(parents=True)
    (workspace / "models/d1k/gemnet/model.json").touch()
    assert completions(line, workspace) == expected


def test_outside_a_project_completion_is_silent(tmp_path: Path) -> None:
    assert completions("gemcurate balance --dataset d", tmp_path) == []
