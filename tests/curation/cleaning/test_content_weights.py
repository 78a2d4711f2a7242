"""The weights of the content classifier are data, and wrong data is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from curation.cleaning.content_classifier import CONTENT_CLASSES, INPUTS
from curation.cleaning.content_weights import PATH, read_weights, write_weights
from gemkit.errors import UserError


def altered(tmp_path: Path, change: Any) -> Path:
    """A copy of the weights after a change to their JSON."""
    content = json.loads(PATH.read_text())
    change(content)
    path = tmp_path / "weights.json"
    path.write_text(json.dumps(content))
    return path


def test_written_weights_are_read_again(tmp_path: Path) -> None:
    weights = read_weights(CONTENT_CLASSES, INPUTS)
    write_weights(weights, tmp_path / "weights.json")
    assert (tmp_path / "weights.json").read_bytes() == PATH.read_bytes()
    assert read_weights(CONTENT_CLASSES, INPUTS, tmp_path / "weights.json") == weights


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content["inputs"].pop("roundness"), "'inputs' lacks 'roundness'"),
        (
            lambda content: content["inputs"].update(shine=content["inputs"].pop("filled")),
            "'inputs' lacks 'filled'",
        ),
        (
            lambda content: content["inputs"].update(shine=content["inputs"]["filled"]),
            "'inputs' has the unknown name 'shine'",
        ),
        (lambda content: content["bias"].pop("hand"), "'bias' lacks 'hand'"),
        (
            lambda content: content["inputs"]["stones"]["squares"].pop("hand"),
            "'inputs.stones.squares' lacks 'hand'",
        ),
        (
            lambda content: content["inputs"]["stones"].update(deviation=0),
            "'inputs.stones.deviation' must be more than 0 (found 0)",
        ),
        (lambda content: content["inputs"]["stones"].pop("mean"), "the key 'inputs.stones.mean' is missing"),
    ],
)
def test_wrong_weights_are_named(tmp_path: Path, change: Any, words: str) -> None:
    path = altered(tmp_path, change)
    with pytest.raises(UserError) as caught:
        read_weights(CONTENT_CLASSES, INPUTS, path)
    assert str(caught.value).startswith(f"'{path}': {words}")
    assert "tools.train_content_classifier" in str(caught.value)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "weights.json").write_bytes(PATH.read_bytes()[:99])
    with pytest.raises(UserError, match=r"json' is not valid JSON .*tools\.train_content_classifier"):
        read_weights(CONTENT_CLASSES, INPUTS, tmp_path / "weights.json")
