"""Models on disk that cannot be read."""

import json
import shutil
from pathlib import Path

import pytest

from curation.cropping.params import CropSettings
from gemkit.errors import UserError
from gemkit.project import Project
from gemtrain.model_metadata import IncompleteModel, OutdatedModel
from gemtrain.model_store import read_history, read_model, write_history, write_metadata
from tests.helpers.slow import others_slow
from tests.helpers.textures import make_dataset
from tests.helpers.training import run


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `models` of a project with a small model."""
    folder = tmp_path_factory.mktemp("described")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_dataset()
        run(max_steps=2)
    return folder / "models"


@pytest.fixture
def described(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The model.json of a small model, in the current folder."""
    shutil.copytree(models, tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    return Path("models/gems/gemnet/model.json")


def test_a_model_with_former_recipe_keys_is_refused(described: Path) -> None:
    metadata = json.loads(described.read_text())
    settings = metadata["settings"]
    for former, present in (("keep", "monitor"), ("views", "tta_views"), ("cpu_bfloat16", "bf16_on_cpu")):
        settings[former] = settings.pop(present)
    described.write_text(json.dumps(metadata))
    with pytest.raises(OutdatedModel, match="earlier version") as error:
        read_model(Project(), "gems", "gemnet")
    command = "gemtrain train --dataset gems --recipe gemnet"
    assert str(error.value) == f"'{described}' was written by an earlier version; run '{command}' again."
    assert (error.value.path, error.value.command) == (described, command)


@pytest.mark.parametrize("recipe", others_slow(["gemnet", "efficientnet_lite0"], "gemnet"))
def test_metadata_and_history_are_read_as_they_were_written(gems: Path, recipe: str) -> None:
    trained = run(recipe, augmentation={"mirror": True}, max_steps=2)
    folder = Path("models/gems", recipe)
    metadata, history = read_model(Project(), "gems", recipe)[1], read_history(folder / "history.csv")
    assert metadata == trained and len(history) == metadata.epochs
    assert all(isinstance(row.epoch, int) and isinstance(row.train_loss, float) for row in history)
    write_metadata(Path("model.json"), metadata)
    write_history(Path("history.csv"), history)
    assert Path("model.json").read_bytes() == (folder / "model.json").read_bytes()
    assert Path("history.csv").read_bytes() == (folder / "history.csv").read_bytes()


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (["seed"], "1", "'seed' must be an integer (found '1')"),
        (["epochs"], 1.0, "'epochs' must be an integer (found 1.0)"),
        (["validation_loss"], True, "'validation_loss' must be a number (found True)"),
        (["varieties"], "x", "'varieties' must be a list (found 'x')"),
        (["species"], [1, None, None], "'species[0]' must be a string (found 1)"),
        (["sead"], 1, "unknown key 'sead'"),
        (["crop"], {}, "the key 'crop.version' is missing"),
        (["crop"], "none", "'crop' must be a mapping of keys to values (found 'none')"),
        (["stages", 0, "epochs"], "2", "'stages[0].epochs' must be an integer (found '2')"),
        (["stages", 0, "loss"], 0.5, "unknown key 'stages[0].loss'"),
        (["confidence", "threshold"], "high", "'confidence.threshold' must be a number (found 'high')"),
        (["settings", "batch_size"], 32.0, "'settings.batch_size' must be an integer (found 32.0)"),
        (["parameters"], None, "'parameters' must be an integer (found None)"),
    ],
)
def test_a_description_with_a_wrong_value_is_one_sentence(
    described: Path, path: list[str | int], value: object, problem: str
) -> None:
    content = inside = json.loads(described.read_text())
    for part in path[:-1]:
        inside = inside[part]
    inside[path[-1]] = value
    described.write_text(json.dumps(content))
    with pytest.raises(IncompleteModel) as error:
        read_model(Project(), "gems", "gemnet")
    command = "gemtrain train --dataset gems --recipe gemnet"
    assert str(error.value) == f"'{described}': {problem}; run '{command}' again."
    assert (error.value.path, error.value.problem, error.value.command) == (described, problem, command)


def test_a_description_has_all_keys_also_those_with_a_default(described: Path) -> None:
    text = described.read_text()
    content = json.loads(text)
    places = [content, content["stages"][0], content["confidence"], content["settings"]]
    for place in (*places, content["settings"]["augmentation"]):
        for key in list(place):
            value = place.pop(key)
            described.write_text(json.dumps(content))
            with pytest.raises((IncompleteModel, OutdatedModel)):
                read_model(Project(), "gems", "gemnet")
            place[key] = value
    for broken in ("{", "[]", "3", "null", '"\\ud800"', "[" * 9999, "\xff"):
        described.write_text(broken, encoding="latin-1")
        with pytest.raises(IncompleteModel):
            read_model(Project(), "gems", "gemnet")
    described.write_text(text)
    assert read_model(Project(), "gems", "gemnet")[1].to_json() == json.loads(text)


CROP = {
    "version": 3,
    "removal": "auto",
    "model": "u2netp",
    "background": "black",
    "stones": "largest",
    "size": 224,
    "margin": 0.06,
}


def test_the_crop_settings_are_a_record(described: Path) -> None:
    content = json.loads(described.read_text()) | {"crop": CROP}
    described.write_text(json.dumps(content, indent=2) + "\n")
    text, metadata = described.read_text(), read_model(Project(), "gems", "gemnet")[1]
    assert metadata.crop == CropSettings(**CROP)
    write_metadata(described, metadata)
    assert described.read_text() == text
    for key in CROP:
        described.write_text(json.dumps(content | {"crop": {k: v for k, v in CROP.items() if k != key}}))
        with pytest.raises(IncompleteModel, match=f"the key 'crop.{key}' is missing"):
            read_model(Project(), "gems", "gemnet")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("epoch,", "epochs,", "the columns must be epoch, stage, "),
        ("\n1,", "\none,", "in row 1, 'epoch' must be an integer (found 'one')"),
        ("\n1,", "\n,", "in row 1, 'epoch' must be an integer (found None)"),
        ("\n1,", "\n1,1,", "row 1 has 8 cells for 7 columns"),
    ],
)
def test_a_history_of_another_form_is_one_sentence(described: Path, old: str, new: str, problem: str) -> None:
    path = described.with_name("history.csv")
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(UserError) as error:
        read_history(path)
    message = str(error.value)
    assert message.startswith(f"'{path}': {problem}") and message.endswith("; train the model again.")
