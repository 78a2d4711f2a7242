"""Models on disk that cannot be read."""

import json
from pathlib import Path

import pytest

from gemkit.errors import UserError
from gemtrain.model_store import read_model
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
