"""The installed packages contain their data and say that they are typed."""

import tomllib
from pathlib import Path

import pytest

from tests.helpers.commands import ROOT

DATA: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "setuptools"
]["package-data"]


@pytest.mark.parametrize("package", ["gemkit", "scraper", "curation", "gemtrain"])
def test_every_data_file_is_package_data(package: str) -> None:
    folder = ROOT / package
    data = {file for file in folder.rglob("*") if file.is_file() and file.suffix not in (".py", ".pyc")}
    included: set[Path] = set().union(*(folder.glob(pattern) for pattern in DATA[package]))
    assert folder / "py.typed" in data
    assert not data - included
