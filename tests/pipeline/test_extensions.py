"""A new store or cleaning rule is one new file.

tests/gemtrain/test_cli.py shows the same for networks and recipes.
"""

import shutil
from pathlib import Path

import pytest

from curation.tables import CLEAN
from gemkit.tables import read_table
from tests.helpers.commands import ROOT, command


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the code. With it on PYTHONPATH, Python imports it instead of the installed code."""
    for package in ("gemkit", "scraper", "curation", "gemtrain"):
        shutil.copytree(
            ROOT / package, tmp_path / "code" / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path / "code"


def test_a_store_is_one_file(copy: Path, tmp_path: Path) -> None:
    shutil.copy(copy / "scraper/sites/demo.toml", copy / "scraper/sites/corner_shop.toml")
    output = command("gemscrape", "sites", cwd=tmp_path, PYTHONPATH=str(copy)).stdout
    assert "corner_shop" in output


def test_a_cleaning_rule_is_one_file(copy: Path, project: Path) -> None:
    rule = (copy / "curation/cleaning/rules/small.py").read_text()
    (copy / "curation/cleaning/rules/tiny_twin.py").write_text(rule.replace('"small"', '"tiny_twin"'))
    command("gemcurate", "clean", cwd=project, PYTHONPATH=str(copy))
    reasons = read_table(project / "data/clean.parquet", CLEAN)["reasons"].to_pylist()
    rules = {reason["rule"] for image in reasons for reason in image}
    assert {"small", "tiny_twin"} <= rules
