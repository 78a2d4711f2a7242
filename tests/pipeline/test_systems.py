"""Parameter files and recipes of published systems: valid, as published, and runnable on the demo store."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from curation.cleaning.params import read_clean
from curation.cropping.params import read_crop
from curation.datasets.params import read_balance, read_split
from curation.measurement.params import read_measure
from curation.params import read_sites
from gemtrain.models.lookup import find_network, network_names
from gemtrain.recipe import check_evaluate_section, load_recipe, load_settings, recipe_names
from scraper.params import FolderParams, crawl_params
from scraper.stores.config import LinksSite, load_site
from tests.helpers.commands import ROOT, called
from tests.helpers.project import SCALE, SEED, STROKE_DENSITY
from tests.helpers.slow import others_slow

#: quick.yaml is for the demo store alone.
PUBLISHED = sorted(path for path in (ROOT / "params").glob("*.yaml") if path.stem != "quick")
#: One of a balanced dataset, one of a plain one.
SHOWN = (ROOT / "params/tuebingen2024.yaml", ROOT / "params/kadhim2020.yaml")
FILES = [ROOT / "params.yaml", ROOT / "params/quick.yaml", *PUBLISHED]
SYSTEMS = ("tuebingen2024", "pasley2022", "jin2022", "mwakifwamba", "kadhim2020")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_parameter_file_is_valid(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    for name in read_sites(path):
        crawl_params(path, load_site(name))
        assert name in content["crawl"]
    for read in (read_measure, read_crop, read_split):
        read(path)
    clean = read_clean(path)
    assert clean.taxonomy and (ROOT / clean.taxonomy).exists()
    assert clean.decisions and (ROOT / clean.decisions).exists()
    assert sorted(read_balance(path).datasets) == sorted(content["datasets"])
    check_evaluate_section(path)
    for name in content["recipes"]:
        # A DVC stage depends on the key of its recipe, so it must exist.
        assert name in content["train"]["recipes"]
        load_settings(path, name)


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_data_is_looked_for_inside_the_project(path: Path) -> None:
    for name in read_sites(path):
        site, params = load_site(name), crawl_params(path, load_site(name))
        place = params.folder if isinstance(params, FolderParams) else site.links  # type: ignore[union-attr]
        assert place.is_relative_to("data/external") and ".." not in place.parts
        assert f"`{place}" in (ROOT / "docs/external_data.md").read_text(encoding="utf-8")


def on_demo(path: Path) -> dict[str, Any]:
    """The parameter file on the demo store, by the edit that the docs describe, and smaller."""
    text, count = re.subn(
        r"^sites: .*", "sites: [demo]", path.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert count == 1
    params: dict[str, Any] = yaml.safe_load(text)
    params["crawl"]["demo"] |= {"seed": SEED, "scale": SCALE}
    params["measure"]["stroke_density"] = STROKE_DENSITY
    params["crop"]["size"] = 64
    if params["crop"]["removal"] == "rembg":  # minutes, and a download
        params["crop"]["removal"] = "classical"
    for dataset in params["balance"]["datasets"].values():
        if "target" in dataset:
            dataset |= {"target": 40, "minimum": 20}
    return params


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, pipeline: Path) -> Path:
    """A copy of `pipeline`; equal measurements and crops of several systems are computed once."""
    folder = tmp_path_factory.mktemp("systems") / "demo"
    shutil.copytree(pipeline, folder)
    return folder


@pytest.mark.parametrize("path", others_slow(PUBLISHED, *SHOWN), ids=lambda path: path.stem)
def test_every_parameter_file_makes_its_datasets_of_the_demo_store(demo: Path, path: Path) -> None:
    params = on_demo(path)
    (demo / "params.yaml").write_text(yaml.safe_dump(params))
    called("gemcurate", "measure", "--site", "demo", cwd=demo)
    for stage in ("clean", "crop", "split"):
        called("gemcurate", stage, cwd=demo)
    for dataset in params["datasets"]:
        called("gemcurate", "balance", "--dataset", dataset, cwd=demo)
        assert len(json.loads((demo / f"metrics/{dataset}/dataset.json").read_text())["classes"]) >= 5


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_lists_all_its_recipes(system: str) -> None:
    path = ROOT / "params" / f"{system}.yaml"
    recipes = yaml.safe_load(path.read_text())["recipes"]
    assert recipes == [name for name in recipe_names() if name.startswith(f"{system}-")]
    for name in recipes:
        recipe = load_recipe(name)
        assert recipe.source and recipe.image_size == 224
        network = find_network(recipe.network)
        assert recipe.network in network_names() and name.removeprefix(f"{system}-").startswith(network.name)
        assert recipe.weights == "none" or network.weights is not None
        assert set(recipe.features) <= network.layers.keys()


def test_schedules_match_the_publications() -> None:
    for name in recipe_names():
        recipe = load_recipe(name)
        stages = [(stage.train, stage.epochs, stage.learning_rate) for stage in recipe.stages]
        if name.startswith("tuebingen2024"):
            first = "all" if recipe.weights == "none" else "dense"
            assert stages == [(first, 15, 1e-3), ("all", 5, 1e-5)] and recipe.batch_size == 32
            assert recipe.weight_decay == (0.002 if "regularised" in name else 0)
        elif name.startswith("pasley2022"):
            assert (stages, recipe.batch_size, recipe.optimiser) == ([("all", 30, 3e-4)], 48, "adam")
        elif name.startswith("jin2022"):
            assert (stages, recipe.optimiser, recipe.monitor) == ([("all", 100, 0.1)], "adam", "closest")
        elif name.startswith("mwakifwamba"):
            assert [stage.epochs for stage in recipe.stages] == [70]
            assert (recipe.batch_size, recipe.optimiser) == (32, "adam")
        elif name.startswith("kadhim2020"):
            assert recipe.features == ("early", "deep") and recipe.classifier == "linear" and not stages
            assert recipe.weights == "pretrained"


def test_splits_and_datasets_match_the_publications() -> None:
    training = {
        "tuebingen2024": 0.8,
        "pasley2022": 0.7,
        "jin2022": 0.8,
        "mwakifwamba": 0.8,
        "kadhim2020": 0.7,
    }
    for system, share in training.items():
        split = read_split(ROOT / "params" / f"{system}.yaml")
        assert 1 - split.validation - split.test == pytest.approx(share)
        assert split.test > 0 and split.validation > 0
    balance = read_balance(ROOT / "params/tuebingen2024.yaml")
    targets = {name: (dataset.target, dataset.minimum) for name, dataset in balance.datasets.items()}
    assert balance.orientations == 8 and targets == {"d1k": (1000, 600), "d2k": (2000, 1500)}


def test_the_published_links_are_a_built_in_site() -> None:
    site = load_site("gempundit_published")
    assert isinstance(site, LinksSite) and site.product.id is not None
    assert site.product.id.part("https://imgcdn1.gempundit.com/media/gp112443-1-150323.jpg") == "112443"
