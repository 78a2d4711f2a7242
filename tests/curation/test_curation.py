"""What the package offers: it is imported on first use, and needs no current folder."""

import json
from pathlib import Path

import pytest

import curation
from curation.cleaning.params import read_clean
from curation.cleaning.rule_set import load_rules
from curation.cropping.params import read_crop
from curation.datasets.params import read_split
from curation.measurement.params import read_measure
from curation.params import read_limits
from gemkit.project import Project
from tests.helpers.commands import ROOT, called, command
from tests.helpers.measured_shop import Shop, faceted_stone

#: Libraries that take long to import.
HEAVY = ("cv2", "numpy", "pyarrow", "pydantic", "rembg", "requests", "torch", "yaml")
COMMANDS = (
    ("measure", "--site", "demo"), ("clean",), ("crop",), ("steps",), ("split",),
    ("balance", "--dataset", "d1k"), ("report",), ("show", "stone.jpg"), ("taxonomy", "check"),
    ("taxonomy", "find", "Ruby"), ("taxonomy", "links", "links.csv"),
)  # fmt: skip


def test_importing_the_package_imports_nothing_heavy(tmp_path: Path) -> None:
    code = f"import json, sys, curation; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    assert json.loads(command("python", "-c", code, cwd=tmp_path).stdout) == []


def test_every_name_that_the_package_offers_exists() -> None:
    for name in curation.__all__:
        assert getattr(curation, name).__name__ == name
    with pytest.raises(AttributeError, match="'curation' has no attribute 'nothing'"):
        curation.nothing  # noqa: B018


def test_the_defaults_are_the_values_of_the_parameter_file() -> None:
    params = ROOT / "params.yaml"
    assert read_measure(params) == curation.MeasureParams()
    assert read_crop(params) == curation.CropParams()
    assert load_rules(read_clean(params).rules).settings() == load_rules({}).settings()
    assert read_split(params) == curation.SplitParams()
    assert read_limits(params, "measure") == read_limits(params, "crop") == curation.Limits()


def test_two_projects_are_used_in_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shops = [Shop(Project(name)) for name in ("one", "other")]
    images = [shop.add(faceted_stone(seed), ["Ruby"], ["a"]) for seed, shop in enumerate(shops)]
    for shop, image in zip(shops, images, strict=True):
        assert list(shop.clean()) == [image]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "other"]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_outside_a_project_a_command_names_init(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    said = called("gemcurate", *arguments, cwd=tmp_path, expect=2).stderr
    assert "is not a Gemscrape project" in said and "gemscrape init" in said
    assert not list(tmp_path.iterdir())
