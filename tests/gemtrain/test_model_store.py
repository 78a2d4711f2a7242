"""Models on disk that cannot be read."""

import json
from pathlib import Path

import pytest

from gemkit.errors import UserError
from gemtrain.model_metadata import IncompleteModel, ModelMetadata
from gemtrain.model_store import read_history, read_model, write_history, write_metadata
from tests.helpers.training import run


def test_a_model_with_former_recipe_keys_is_refused(gems: Path) -> None:
    run(max_steps=2)
    path = Path("models/gems/gemnet/model.json")
    metadata = json.loads(path.read_text())
    settings = metadata["settings"]
    for former, present in (("keep", "monitor"), ("views", "tta_views"), ("cpu_bfloat16", "bf16_on_cpu")):
        settings[former] = settings.pop(present)
    path.write_text(json.dumps(metadata))
    with pytest.raises(UserError, match="was trained by an earlier version; train it again") as error:
        read_model("gems", "gemnet")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("recipe", ["gemnet", "efficientnet_lite0"])
def test_metadata_and_history_are_read_as_they_were_written(gems: Path, recipe: str) -> None:
    trained = run(recipe, augmentation={"mirror": True}, max_steps=2)
    folder = Path("models/gems", recipe)
    metadata, history = read_model("gems", recipe)[1], read_history(folder / "history.csv")
    assert metadata == trained and len(history) == metadata.epochs
    assert all(isinstance(row.epoch, int) and isinstance(row.train_loss, float) for row in history)
    write_metadata(Path("model.json"), metadata)
    write_history(Path("history.csv"), history)
    assert Path("model.json").read_bytes() == (folder / "model.json").read_bytes()
    assert Path("history.csv").read_bytes() == (folder / "history.csv").read_bytes()


@pytest.mark.parametrize("key", ["varieties", "parameters", "stages", "settings", "species"])
def test_a_description_without_a_key_or_with_a_wrong_value_is_incomplete(gems: Path, key: str) -> None:
    content = run(max_steps=2).to_json()
    for broken in ({k: v for k, v in content.items() if k != key}, {**content, key: "x"}, [content]):
        with pytest.raises(IncompleteModel):
            ModelMetadata.from_json(broken)
    Path("models/gems/gemnet/model.json").write_text(json.dumps({**content, key: "x"}))
    with pytest.raises(UserError, match=r"model\.json' is not a complete model description"):
        read_model("gems", "gemnet")
