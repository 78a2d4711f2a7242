"""Recipes: how they are read, and which mistakes are refused with which message."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gemkit.errors import UserError
from gemtrain.models.lookup import network_names
from gemtrain.recipe import RECIPES, Augmentation, Recipe, Stage, load_recipe, load_settings, recipe_names
from gemtrain.recipe_list import explain_keys, recipe_lines
from tests.helpers.commands import ROOT


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_valid_and_names_a_network(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.network in network_names() and recipe.description


def test_gemnet_is_trained_as_published() -> None:
    recipe = load_recipe("gemnet")
    stages = [(stage.epochs, stage.learning_rate, stage.train) for stage in recipe.stages]
    assert stages == [(15, 1e-3, "all"), (5, 1e-5, "all")]
    assert (recipe.image_size, recipe.batch_size, recipe.weights) == (224, 32, "none")


def test_the_list_names_sources_and_published_results(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = (RECIPES / "gemnet.toml").read_text()
    (tmp_path / "own.toml").write_text('source = "Someone 2030"\npublished = "0.99 top-1"\n' + text)
    monkeypatch.setattr("gemtrain.recipe.RECIPES", tmp_path)
    said = "\n".join(recipe_lines())
    assert said.startswith("own: ") and "gemnet at 224 px" in said
    assert "source: Someone 2030" in said and "published: 0.99 top-1" in said


def test_a_recipe_without_any_of_its_features_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "own.toml").write_text("features = []\n" + (RECIPES / "gemnet.toml").read_text())
    monkeypatch.setattr("gemtrain.recipe.RECIPES", tmp_path)
    with pytest.raises(UserError, match=r"own\.toml': 'features' is empty"):
        load_recipe("own")


def settings(folder: Path, train: Any, recipe: str = "gemnet") -> Any:
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump({"train": train}))
    return load_settings(path, recipe)


def test_params_override_single_values(tmp_path: Path) -> None:
    changes = {"image_size": 96, "augmentation": {"shift": 0.1}}
    recipe, seed = settings(tmp_path, {"seed": 4, "recipes": {"gemnet": changes}})
    own = load_recipe("gemnet")
    augmentation = own.augmentation.replace(shift=0.1)
    assert recipe == own.replace(image_size=96, augmentation=augmentation) and seed == 4
    assert settings(tmp_path, None) == (own, 0)


def test_an_integer_may_stand_for_a_float(tmp_path: Path) -> None:
    recipe, _ = settings(tmp_path, {"recipes": {"gemnet": {"augmentation": {"rotate": 10}}}})
    assert type(recipe.augmentation.rotate) is float


def test_every_key_is_explained_within_the_width_of_a_terminal() -> None:
    lines = list(explain_keys())
    assert max(map(len, lines)) < 80
    keys = {line.partition(":")[0]: line for line in lines if line[:1].isalpha() and ":" in line}
    for model in (Recipe, Stage, Augmentation):
        assert model.model_fields.keys() <= keys.keys()
        assert all(field.description for field in model.model_fields.values())
    assert keys["batch_size"] == "batch_size: integer, at least 1, default 32"
    assert keys["train"] == 'train: "all", "dense" or "head", default "all"'
    assert keys["epochs"] == "epochs: integer, at least 1, required"
    assert keys["patience"] == "patience: integer, at least 1, optional"
    assert keys["features"] == "features: list of strings, optional"


_TEXT = st.text("a'\n", max_size=4)


@pytest.mark.heavy
@given(
    st.dictionaries(
        st.sampled_from(sorted(Recipe.model_fields)),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_subnormal=False) | _TEXT,
            lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner),
            max_leaves=9,
        ),
    )
)
def test_any_values_make_a_recipe_or_one_sentence(values: dict[str, Any]) -> None:
    try:
        recipe = load_recipe("gemnet", values)
    except UserError as error:
        assert str(error).startswith("'changes of gemnet': ") and "\n" not in str(error)
    else:
        assert Recipe(**json.loads(json.dumps(recipe.model_dump()))).named("gemnet") == recipe


def test_the_projects_own_parameters_are_valid() -> None:
    for name in recipe_names():
        load_settings(ROOT / "params.yaml", name)


@pytest.mark.parametrize(
    ("train", "words"),
    [
        ({"sead": 1}, ["train.sead"]),
        ({"seed": "one"}, ["train.seed", "int", "'one'"]),
        ({"recipes": {"gamenet": {}}}, ["train.recipes.gamenet", "gemnet"]),
        ({"recipes": {"gemnet": {"size": 96}}}, ["train.recipes.gemnet.size", "image_size"]),
        ({"recipes": {"gemnet": {"image_size": "big"}}}, ["train.recipes.gemnet.image_size", "'big'"]),
        ({"recipes": {"gemnet": {"image_size": True}}}, ["train.recipes.gemnet.image_size", "int"]),
        ({"recipes": {"gemnet": {"image_size": 3}}}, ["train.recipes.gemnet", "image_size", "3"]),
        ({"recipes": {"gemnet": {"max_steps": 0}}}, ["train.recipes.gemnet", "max_steps"]),
        ({"recipes": {"gemnet": {"optimiser": "adamm"}}}, ["train.recipes.gemnet.optimiser", "adamw"]),
        ({"recipes": {"gemnet": {"augmentation": {"hue": 1}}}}, ["gemnet.augmentation.hue", "mirror"]),
        ({"recipes": {"gemnet": {"channels": 2}}}, ["train.recipes.gemnet", "channels", "1, 3 or 4", "2"]),
        ({"recipes": {"gemnet": {"monitor": "best"}}}, ["gemnet.monitor", "closest", "'best'"]),
        (
            {"recipes": {"gemnet": {"keep": "last"}}},
            ["recipes.gemnet' 'keep' is now 'monitor'", "rename"],
        ),
        (
            {"recipes": {"gemnet": {"views": 2}}},
            ["recipes.gemnet' 'views' is now 'tta_views'"],
        ),
        (
            {"recipes": {"gemnet": {"cpu_bfloat16": True}}},
            ["gemnet' 'cpu_bfloat16' is now 'bf16_on_cpu'"],
        ),
        (
            {"recipes": {"gemnet": {"stages": [{"epochs": 1, "keep_statistics": True}]}}},
            ["gemnet.stages[0]' 'keep_statistics' is now 'freeze_batchnorm'"],
        ),
        ({"recipes": {"gemnet": {"patience": 0}}}, ["train.recipes.gemnet.patience' must be at least 1"]),
        ({"recipes": {"gemnet": {"monitor": "last", "patience": 3}}}, ["gemnet", "patience", "last"]),
        ({"recipes": {"gemnet": {"classifier": "svm"}}}, ["gemnet", "stages", "classifier", "one of"]),
        (
            {"recipes": {"gemnet": {"colour_bins": 1}}},
            ["recipes.gemnet.colour_bins' must be at least 2 and at most 16 (found 1)"],
        ),
        ({"recipes": {"gemnet": {"colour_bins": 4, "channels": 1}}}, ["colour_bins", "channels"]),
        (
            {
                "recipes": {
                    "gemnet": {
                        "colour_bins": 4,
                        "stages": [{"epochs": 1, "learning_rate": 1e-3, "train": "dense"}],
                    }
                }
            },
            ["recipes.gemnet", "dense", "colour_bins"],
        ),
        ({"recipes": {"gemnet": {"features": [1]}}}, ["gemnet.features[0]", "str", "1"]),
        (
            {"recipes": {"gemnet": {"augmentation": {"rotate": 200}}}},
            ["gemnet.augmentation", "rotate", "200"],
        ),
        ({"recipes": {"gemnet": {"augmentation": {"crop": 1}}}}, ["gemnet.augmentation", "crop", "below 1"]),
        ({"recipes": {"gemnet": {"stages": []}}}, ["train.recipes.gemnet", "either 'stages' or"]),
        ({"recipes": {"gemnet": {"stages": [{"epochs": 1}]}}}, ["gemnet.stages[0].learning_rate", "missing"]),
        (
            {"recipes": {"gemnet": {"stages": [{"epochs": 1, "learning_rate": -1}]}}},
            ["gemnet.stages[0]", "learning_rate", "-1"],
        ),
        ({"recipes": {"gemnet": {"learning_rate": float("nan")}}}, ["gemnet.learning_rate"]),
        ({"seed": True}, ["train.seed' must be an integer (found True)"]),
        ({"recipes": {"gemnet": {"batch_size": "3"}}}, ["gemnet.batch_size' must be an integer (found '3')"]),
        ({"recipes": {"gemnet": {"batch_size": 3.0}}}, ["gemnet.batch_size' must be an integer (found 3.0)"]),
        ({"recipes": {"gemnet": {"tta_views": True}}}, ["gemnet.tta_views' must be an integer (found True)"]),
        ({"recipes": {"gemnet": {"channels": 3.0}}}, ["gemnet.channels' must be an integer (found 3.0)"]),
        ({"recipes": {"gemnet": {"class_weights": 1}}}, ["class_weights' must be true or false (found 1)"]),
        ({"recipes": {"gemnet": {"weight_decay": True}}}, ["weight_decay' must be a number (found True)"]),
        (
            {"recipes": {"gemnet": {"weight_decay": float("inf")}}},
            ["weight_decay' must be a finite number (found inf)"],
        ),
        (
            {"recipes": {"gemnet": {"features": []}}},
            ["train.recipes.gemnet.features' is empty; name a layer or leave out the key"],
        ),
        ({"recipes": {"gemnet": {"features": "deep"}}}, ["gemnet.features' must be a list (found 'deep')"]),
        ({"recipes": {"gemnet": {"augmentation": 1}}}, ["gemnet.augmentation' must be a mapping", "1"]),
        ({"recipes": {"gemnet": {"stages": [3]}}}, ["gemnet.stages[0]' must be a mapping", "(found 3)"]),
        ({"recipes": ["gemnet"]}, ["train.recipes"]),
        ({"recipes": {"gemnet": 3}}, ["train.recipes.gemnet"]),
        (["gemnet"], ["train", "mapping"]),
    ],
)
def test_wrong_parameters_are_one_sentence_with_the_key(tmp_path: Path, train: Any, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        settings(tmp_path, train)
    message = str(error.value)
    assert "params.yaml" in message and "\n" not in message
    for word in words:
        assert word in message
