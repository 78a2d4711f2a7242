"""Trainings that must stop: a loss that is no number, datasets whose sides don't fit together."""

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from test_gemtrain import gems, row_of, write_rows  # noqa: F401

from gemkit.errors import UserError
from gemtrain.data import Dataset
from gemtrain.models import build
from gemtrain.recipe import Recipe, Stage
from gemtrain.train import train
from gemtrain.weights import load_body


def rows_of(split: str) -> list[dict[str, object]]:
    return pq.read_table(f"data/datasets/gems/{split}-00000.parquet").to_pylist()


def test_a_loss_that_is_no_number_names_the_batch_and_the_last_good_state_is_kept(gems: Path) -> None:  # noqa: F811
    stages = (Stage(epochs=2, learning_rate=1e-4), Stage(epochs=2, learning_rate=1e18))
    recipe = Recipe("", network="gemnet", image_size=34, stages=stages)
    with pytest.raises(UserError) as error:
        train("gems", "gemnet", recipe, 1, torch.device("cpu"))
    said = re.search(
        r"in batch [23] of epoch 3 \(the state after epoch 2 is kept in '(.+)'\)", str(error.value)
    )
    assert said, error.value
    checkpoint = Path(said[1]) / "checkpoint.pt"
    saved = torch.load(checkpoint, weights_only=True)
    assert [row["epoch"] for row in saved["history"]] == [1, 2]
    assert all(value.isfinite().all() for value in saved["model"].values())
    body = build("gemnet", 3, 34).body
    load_body(body, checkpoint, "gemnet")
    assert torch.equal(body.state_dict()["features.0.weight"], saved["model"]["body.features.0.weight"])
    assert not Path("models").exists()


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_class_that_one_side_has_not(gems: Path, split: str) -> None:  # noqa: F811
    write_rows("gems", split, [row for row in rows_of(split) if row["label"] != 2])
    with pytest.raises(UserError, match=r"'Topaz'.*split"):
        Dataset("gems")


def test_more_than_one_broken_image_in_a_hundred_stops(gems: Path) -> None:  # noqa: F811
    rows = rows_of("test")
    many = [{**rows[number % 15], "sha256": f"photo {number}"} for number in range(199)]
    for number in (5, 150):
        many[number] = row_of(0, number, "test") | {"image": {"bytes": b"\xff\xd8\xff", "path": None}}
    write_rows("gems", "test", many)
    with pytest.raises(
        UserError, match=r"2 of 199 images in the test split .*, more than 1%.*row 5.*row 150"
    ):
        Dataset("gems")
    write_rows("gems", "test", [*many, *rows])
    assert len(Dataset("gems").splits["test"]) == 212
