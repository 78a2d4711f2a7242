"""Files about the project agree with each other: versions, the checks of a change, links of the docs."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers.commands import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = [
    name.rpartition(" ")[2] for name in PROJECT["classifiers"] if name.startswith("Programming Language")
]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "benchmarks/README.md"]


def read_yaml(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return content


def test_the_citation_has_the_version_of_the_package() -> None:
    citation = read_yaml("CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])


def test_the_workflow_checks_a_change_on_every_supported_python() -> None:
    workflow = read_yaml(".github/workflows/ci.yml")
    (job,) = workflow["jobs"].values()
    assert job["strategy"]["matrix"]["python-version"] == PYTHONS
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"
    (check,) = (step for step in job["steps"] if step.get("run") == ".ci/run")
    # The Makefile makes .venv with it.
    assert check["env"] == {"PYTHON": "python${{ matrix.python-version }}"}
    assert re.search(r"^PYTHON \?=", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert workflow[True].keys() == {"push", "pull_request"}  # YAML reads the key 'on' as true
    assert workflow["permissions"] == {"contents": "read"}


def test_a_commit_is_checked_like_make_lint() -> None:
    (repository,) = read_yaml(".pre-commit-config.yaml")["repos"]
    hooks = repository["hooks"]
    # Tools of .venv, whose versions constraints.txt decides.
    assert repository["repo"] == "local" and {hook["language"] for hook in hooks} == {"system"}
    tools = [re.match(r"\.venv/bin/(ruff check|ruff format|mypy)\b", hook["entry"]) for hook in hooks]
    recipe = subprocess.run(
        ["make", "--dry-run", "--always-make", "--no-print-directory", "lint"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()[-3:]
    assert [tool[1] for tool in tools if tool] == [
        re.sub(r" (\.|--check).*", "", command) for command in recipe
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_the_docs_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if not (page.parent / link).exists()]


def test_no_shipped_setting_names_a_place_outside_the_project() -> None:
    files = [
        *ROOT.glob("*.yaml"),
        *(ROOT / "params").glob("*.yaml"),
        *(ROOT / "scraper/sites").glob("*.toml"),
    ]
    assert not [
        file for file in files if re.search(r"\.\./|[ \"'](/|~/)\w", file.read_text(encoding="utf-8"))
    ]
