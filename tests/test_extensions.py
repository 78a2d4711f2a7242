"""One new file is one new store, cleaning rule, network or recipe; nothing else has to change."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import ROOT, command

from curation.tables import CLEAN
from gemkit.tables import read_table


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the code, which Python imports before the installed one when it is on PYTHONPATH."""
    for package in ("gemkit", "scraper", "curation", "gemtrain"):
        shutil.copytree(
            ROOT / package, tmp_path / "code" / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path / "code"


def test_a_store_is_one_file(copy: Path, tmp_path: Path) -> None:
    shutil.copy(copy / "scraper/sites/demo.toml", copy / "scraper/sites/corner_shop.toml")
    said = command("gemscrape", "sites", cwd=tmp_path, PYTHONPATH=str(copy)).stdout
    assert "corner_shop" in said


def test_a_network_and_a_recipe_are_one_file_each(copy: Path, project: Path) -> None:
    network = (copy / "gemtrain/models/gemnet.py").read_text().replace("gemnet", "pebblenet")
    (copy / "gemtrain/models/pebblenet.py").write_text(network)
    recipe = (copy / "gemtrain/recipes/gemnet.toml").read_text().replace('"gemnet"', '"pebblenet"')
    assert "pebblenet" in recipe
    (copy / "gemtrain/recipes/pebbles.toml").write_text(recipe)
    params = (project / "params.yaml").read_text().replace("    gemnet:", "    pebbles:")
    (project / "params.yaml").write_text(params)
    arguments = ("--dataset", "d1k", "--recipe", "pebbles")
    command("gemtrain", "train", *arguments, cwd=project, PYTHONPATH=str(copy))
    command("gemtrain", "evaluate", *arguments, cwd=project, PYTHONPATH=str(copy))
    assert json.loads((project / "metrics/d1k/pebbles.json").read_text())["test_images"] > 0


def test_a_cleaning_rule_is_one_file(copy: Path, project: Path) -> None:
    rule = (copy / "curation/rules/small.py").read_text()
    (copy / "curation/rules/tiny_twin.py").write_text(rule.replace('"small"', '"tiny_twin"'))
    command("gemcurate", "clean", cwd=project, PYTHONPATH=str(copy))
    reasons = read_table(project / "data/clean.parquet", CLEAN)["reasons"].to_pylist()
    rules = {reason["rule"] for image in reasons for reason in image}
    assert {"small", "tiny_twin"} <= rules
