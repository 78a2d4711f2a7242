"""Trainings that must fail: a loss that is not finite, too little memory, unusable datasets or weights."""

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from gemkit.errors import UserError
from gemkit.project import Project
from gemtrain.data.dataset import Dataset
from gemtrain.device import is_out_of_memory
from gemtrain.models.classifier import Classifier
from gemtrain.models.loading import load_body
from gemtrain.models.lookup import build
from gemtrain.recipe import Recipe, Stage, load_settings
from gemtrain.training.train import train
from tests.helpers.textures import make_dataset, row_of, write_rows
from tests.helpers.training import CPU, run


def rows_of(split: str) -> list[dict[str, object]]:
    return pq.read_table(f"data/datasets/gems/{split}-00000.parquet").to_pylist()


def test_a_loss_that_is_not_finite_names_the_batch_and_the_last_good_state_is_saved(gems: Path) -> None:
    stages = (Stage(epochs=2, learning_rate=1e-4), Stage(epochs=2, learning_rate=1e18))
    recipe = Recipe(description="", network="gemnet", image_size=34, stages=stages)
    with pytest.raises(UserError) as error:
        train(Project(), "gems", recipe.named("gemnet"), 1, CPU)
    said = re.search(
        r"in batch [23] of epoch 3 \(the state after epoch 2 is saved in '(.+)'\)", str(error.value)
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
def test_a_class_that_is_missing_in_one_split(gems: Path, split: str) -> None:
    write_rows("gems", split, [row for row in rows_of(split) if row["label"] != 2])
    with pytest.raises(UserError, match=r"'Topaz'.*split"):
        Dataset(Project(), "gems")


def test_more_than_one_undecodable_image_in_a_hundred_is_an_error(gems: Path) -> None:
    rows = rows_of("test")
    many = [{**rows[number % 15], "sha256": f"image {number}"} for number in range(199)]
    for number in (5, 150):
        many[number] = row_of(0, number, "test") | {"image": {"bytes": b"\xff\xd8\xff", "path": None}}
    write_rows("gems", "test", many)
    with pytest.raises(
        UserError, match=r"2 of 199 images in the test split .*, more than 1%.*row 5.*row 150"
    ):
        Dataset(Project(), "gems")
    write_rows("gems", "test", [*many, *rows])
    assert len(Dataset(Project(), "gems").splits["test"]) == 212


def test_a_batch_that_is_too_large_for_the_memory_names_one_that_fits(
    gems: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(RuntimeError) as full:
        torch.empty(2**60)
    assert is_out_of_memory(full.value) and not is_out_of_memory(RuntimeError("shapes differ"))
    forward, room = Classifier.forward, 3

    def cramped(self: Classifier, images: torch.Tensor) -> torch.Tensor:
        if len(images) > room:
            raise full.value
        return forward(self, images)

    monkeypatch.setattr(Classifier, "forward", cramped)
    refused(r"8 images of 48 pixels .*memory of the cpu; set the recipe's 'batch_size' to 2, which fits")
    room = 0
    refused(r"8 images of 48 pixels .*lower its 'image_size'")


def refused(match: str) -> None:
    with pytest.raises(UserError, match=match) as error:
        run()
    assert "\n" not in str(error.value)


def test_a_missing_dataset(gems: Path) -> None:
    for path in Path("data/datasets/gems").glob("test-*"):
        path.unlink()
    refused("test-")
    settings, seed = load_settings(Path("params.yaml"), "gemnet")
    with pytest.raises(UserError, match="data/datasets/none"):
        train(Project(), "none", settings, seed, CPU)


def test_a_truncated_parquet(gems: Path) -> None:
    path = Path("data/datasets/gems/train-00000.parquet")
    path.write_bytes(path.read_bytes()[:-50])
    refused(r"train-00000\.parquet.*not a complete Parquet")


def test_one_class(gems: Path) -> None:
    make_dataset(classes=1)
    refused("1 class")


def test_labels_with_another_meaning(gems: Path) -> None:
    rows = rows_of("test")
    write_rows("gems", "test", [{**row, "label": 2 - row["label"]} for row in rows])
    refused("label [02].*test")


def test_an_image_that_cannot_be_decoded_is_named(gems: Path) -> None:
    rows = rows_of("train")
    rows[4]["image"]["bytes"] = rows[4]["image"]["bytes"][:60]
    write_rows("gems", "train", rows)
    refused(r"row 4 of 'data/datasets/gems/train-00000\.parquet'")


def test_weights_of_another_network(gems: Path) -> None:
    run(max_steps=2)
    with pytest.raises(UserError, match="does not hold the weights"):
        run("efficientnet_lite0", weights="models/gems/gemnet/model.safetensors")
    with pytest.raises(UserError, match="does not hold the weights"):
        run(weights="models/gems/gemnet/model.safetensors", image_size=96)
    assert run(weights="models/gems/gemnet/model.safetensors", max_steps=2).epochs == 2
