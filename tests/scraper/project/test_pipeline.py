"""The pipeline of a project is the checkout's, with versions of stages in place of code."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from scraper.project.pipeline import changed_stages, project_pipeline
from scraper.project.stage_versions import STAGE_VERSIONS
from scraper.project.template import installed_pipeline
from tests.helpers.commands import ROOT

CHECKOUT = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
PROJECT = yaml.safe_load(installed_pipeline())["stages"]
PARAMETER_FILES = [ROOT / "params.yaml", *sorted((ROOT / "params").glob("*.yaml"))]
PACKAGES = ("gemkit/", "scraper/", "curation/", "gemtrain/")


def body(stage: dict[str, Any]) -> dict[str, Any]:
    """The entry of a stage, without `foreach`."""
    inner: dict[str, Any] = stage.get("do", stage)
    return inner


def lock_keys(stage: dict[str, Any]) -> list[str]:
    """The keys of the lock that a stage depends on."""
    files = [entry for entry in body(stage).get("params", []) if isinstance(entry, dict)]
    return [key for entry in files for key in entry["gemscrape.lock"]]


def test_every_stage_with_code_has_a_version() -> None:
    with_code = [
        name
        for name, stage in CHECKOUT.items()
        if any(dep.startswith(PACKAGES) for dep in body(stage).get("deps", []))
    ]
    assert list(STAGE_VERSIONS) == with_code


@pytest.mark.parametrize("name", CHECKOUT)
def test_a_stage_differs_from_the_checkout_in_its_code_only(name: str) -> None:
    ours, theirs = body(CHECKOUT[name]), body(PROJECT[name])
    data = [dep for dep in ours.get("deps", []) if not dep.startswith(PACKAGES)]
    assert theirs.get("deps", []) == data
    settings = [entry for entry in theirs.get("params", []) if isinstance(entry, str)]
    assert settings == ours.get("params", [])
    others = set(ours) - {"deps", "params"}
    assert {key: theirs[key] for key in others} == {key: ours[key] for key in others}
    assert set(theirs) - others <= {"deps", "params"}


def test_stages_depend_on_their_version_and_their_recipe() -> None:
    assert {name: lock_keys(stage) for name, stage in PROJECT.items()} == {
        "crawl": [],
        **{name: [f"stages.{name}"] for name in STAGE_VERSIONS},
        "network": ["stages.network", "recipes.${item}"],
        "train": ["stages.train", "recipes.${item.recipe}"],
    }


@pytest.mark.parametrize("path", PARAMETER_FILES, ids=lambda path: path.stem)
def test_a_parameter_file_has_every_key_that_a_stage_depends_on(path: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    items = {"crawl": "sites", "balance": "datasets", "network": "recipes", "train": "recipes"}
    for name, stage in CHECKOUT.items():
        for key in body(stage)["params"]:
            for item in content[items[name]] if "${" in key else [""]:
                value = content
                for part in re.sub(r"\$\{[\w.]+\}", item, key).split("."):
                    assert part in value, f"{name} depends on {key}"
                    value = value[part]


def test_changed_stages_are_named() -> None:
    old = project_pipeline("stages: {a: {cmd: x, deps: [gemkit/html.py]}, b: {cmd: y}, c: {cmd: z}}")
    new = project_pipeline("stages: {a: {cmd: x, deps: [gemkit/html.py]}, b: {cmd: w}, d: {cmd: z}}")
    assert changed_stages(old, new) == ["b", "d"]
