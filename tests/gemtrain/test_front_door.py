"""gemtrain from Python: in any folder, with several projects in one process."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gemtrain
from gemkit.errors import UserError
from gemkit.project import Project
from gemtrain import Evaluation, Predictor, build_model, evaluate, load_dataset, load_recipe, train
from gemtrain.model_store import model_names
from tests.helpers.commands import ROOT, called
from tests.helpers.textures import VARIETIES, make_dataset, texture
from tests.helpers.training import CPU, recipe_of

SHORT = {"image_size": 48, "batch_size": 8, "max_steps": 4}


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = {"torch", "pyarrow", "cv2", "pydantic", "requests", "numpy", "yaml", "matplotlib"}
    code = (
        "import os, sys, gemtrain\n"
        f"assert not {heavy!r} & set(sys.modules), sorted(sys.modules)\n"
        "assert os.environ['GOMP_SPINCOUNT'] == '1000'\n"
        "from gemtrain import Project\n"
        "assert 'torch' not in sys.modules\n"
        "from gemtrain import train\n"
        "assert 'torch' in sys.modules\n"
    )
    environment = {"PATH": "", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_all_that_the_package_offers_exists() -> None:
    assert all(callable(getattr(gemtrain, name)) for name in gemtrain.__all__)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = gemtrain.trian


def files_below(folder: Path) -> dict[str, bytes]:
    """The files of a project, except those that hold a time or an order of writing."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".sqlite" not in path.name
    }


def memos(project: Project) -> dict[str, list[tuple[object, ...]]]:
    """The rows of a project's memos."""
    found = {}
    for path in project.cache.glob("*.sqlite"):
        with sqlite3.connect(path) as database:
            found[path.name] = sorted(database.execute("SELECT key, record, pixels FROM memo"))
    return found


def test_two_projects_have_the_same_files_and_nothing_is_written_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Project(tmp_path / "first"), Project("../second")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    recipe = load_recipe("gemnet", SHORT)
    for project in (first, second):
        make_dataset(project=project)
        dataset = load_dataset(project, "gems")
        assert dataset.varieties == list(VARIETIES)
        metadata = train(project, dataset, recipe, seed=1, device=CPU)
        evaluation = evaluate(project, "gems", recipe, CPU)
        assert isinstance(evaluation, Evaluation) and evaluation.recipe == metadata.recipe == "gemnet"
        assert evaluation.metrics.dataset.version == dataset.version
        assert model_names(project) == ["gems/gemnet"]
    assert files_below(first.root) == files_below(second.root)
    assert memos(first) == memos(second) != {}
    assert not list(elsewhere.iterdir())


def test_relative_weights_are_a_file_of_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path / "project")
    make_dataset(project=project)
    recipe = load_recipe("gemnet", {**SHORT, "max_steps": 2})
    train(project, "gems", recipe, device=CPU)
    shutil.copy(project.model("gems", "gemnet") / "model.safetensors", project.root / "start.safetensors")
    monkeypatch.chdir(tmp_path)
    again = recipe.replace(weights="start.safetensors").named("again")
    assert train(project, "gems", again, device=CPU).settings == again
    assert model_names(project) == ["gems/again", "gems/gemnet"]
    with pytest.raises(UserError, match=r"project/gone\.pth' does not exist"):
        train(project, "gems", recipe.replace(weights="gone.pth"), device=CPU)


def test_a_recipe_keeps_its_name_and_must_have_one() -> None:
    recipe = load_recipe("gemnet", {"augmentation": {"mirror": True}})
    assert recipe.augmentation.mirror and recipe.replace(batch_size=3).name == recipe.name == "gemnet"
    assert recipe.named("mine").name == "mine" and recipe.name == "gemnet"
    assert "name" not in recipe.model_dump()
    with pytest.raises(UserError, match="no name"):
        _ = recipe_of("gemnet", 48).name
    for name in ("", "a/b", ".."):
        with pytest.raises(UserError, match="cannot name the folder of a model"):
            recipe.named(name)
    with pytest.raises(UserError, match="'changes of gemnet': unknown key 'nam'"):
        load_recipe("gemnet", {"nam": 1})


def test_the_network_of_a_recipe(tmp_path: Path) -> None:
    model = build_model(load_recipe("gemnet", SHORT), 5)
    import torch

    assert model(torch.zeros(2, 3, 48, 48)).shape == (2, 5)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a model of uncropped textures."""
    project = Project(tmp_path_factory.mktemp("trained"))
    make_dataset(project=project)
    train(project, "gems", load_recipe("gemnet", {**SHORT, "max_steps": 12}), device=CPU)
    return project


def test_pixels_and_files_get_the_same_predictions(trained: Project, tmp_path: Path) -> None:
    pixels = [texture(label, 900) for label in range(3)]
    files = [tmp_path / f"{label}.png" for label in range(3)]
    for file, image in zip(files, pixels, strict=True):
        Image.fromarray(image).save(file)
    predictor = Predictor(trained, "gems/gemnet", CPU)
    of_files = predictor.predict([files[0], str(files[1]), files[2]])
    of_both = predictor.predict([pixels[0], files[1], pixels[2]])
    assert [found.file for found in of_files] == files
    assert [found.file for found in of_both] == [None, files[1], None]
    assert [found.top for found in of_both] == [found.top for found in of_files]
    assert of_both[0].to_json()["file"] is None
    assert [found.top for found in predictor.predict(np.stack(pixels))] == [found.top for found in of_both]
    assert predictor.predict([]) == []


def test_images_that_cannot_be_predicted(trained: Project, tmp_path: Path) -> None:
    predictor = Predictor(trained, "gems/gemnet", CPU)
    (tmp_path / "letter.png").write_text("<html>gone</html>")
    with pytest.raises(UserError, match=r"letter\.png' cannot be used: .*HTML"):
        predictor.predict([texture(0, 1), tmp_path / "letter.png"])
    for wrong in (np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(UserError, match=r"uint8 of the shape \[height, width, 3\]"):
            predictor.predict([wrong])
    with pytest.raises(UserError, match="list of images"):
        predictor.predict("stone.png")


def test_a_misspelt_name_is_answered_with_the_closest_one(trained: Project) -> None:
    for call, words in (
        (lambda: load_recipe("gemmet"), "no recipe 'gemmet'; did you mean 'gemnet'? The recipes are "),
        (lambda: train(trained, "gens", "gemnet", device=CPU), "did you mean 'gems'? The datasets are gems"),
        (lambda: load_dataset(trained, "gens"), "did you mean 'gems'? The datasets are gems"),
        (lambda: Predictor(trained, "gems/genmet"), "did you mean 'gems/gemnet'? The models are gems/gemnet"),
        (lambda: Predictor(trained, "gemnet"), "did you mean 'gems/gemnet'? The models are gems/gemnet"),
        (lambda: evaluate(trained, "gems", "genmet"), "did you mean 'gems/gemnet'?"),
    ):
        with pytest.raises(UserError) as error:
            call()
        assert words in str(error.value)


OUTSIDE = (
    ("train", "--dataset", "gems", "--recipe", "gemnet"),
    ("network", "--recipe", "gemnet"),
    ("evaluate", "--dataset", "gems", "--recipe", "gemnet"),
    ("export", "--dataset", "gems", "--recipe", "gemnet"),
    ("compare", "gems/gemnet", "gems/vgg16"),
    ("predict", "stone.jpg", "--model", "gems/gemnet"),
    ("report",),
)


@pytest.mark.parametrize("arguments", OUTSIDE, ids=lambda arguments: arguments[0])
def test_outside_a_project_a_command_says_how_to_make_one(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    said = called("gemtrain", *arguments, cwd=tmp_path, expect=2).stderr
    assert said.count("\n") == 1 and f"'{tmp_path}' is not a Gemscrape project" in said
    assert "gemscrape init FOLDER" in said and not list(tmp_path.iterdir())


def test_recipes_are_listed_anywhere(tmp_path: Path) -> None:
    assert "gemnet:" in called("gemtrain", "recipes", cwd=tmp_path).stdout
