"""Training: the loop, resuming, augmentation, and datasets that cannot be trained on."""

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from conftest import command, start
from test_gemtrain import PHOTOS, gems, make_dataset, texture, write_params, write_rows  # noqa: F401

from gemkit.errors import UserError
from gemtrain import train as loop
from gemtrain.data import Dataset, Split, batch_of
from gemtrain.features import frozen_features
from gemtrain.models import build
from gemtrain.recipe import Augmentation, Stage, load_settings
from gemtrain.store import read_history, read_model
from gemtrain.train import plan_stages, rate_factor, row_batches, train

CPU = torch.device("cpu")


def run(recipe: str = "gemnet", **changes: Any) -> dict[str, Any]:
    write_params(**({recipe: changes} if changes else {}))
    settings, seed = load_settings(Path("params.yaml"), recipe)
    return train("gems", recipe, settings, seed, CPU)


def files_of(recipe: str = "gemnet") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(f"models/gems/{recipe}").iterdir()}


def test_it_learns(gems: Path) -> None:  # noqa: F811
    about = run(max_steps=120, augmentation={"mirror": True, "shift": 0.05})
    assert about["validation_accuracy"] > 0.9


def test_the_kept_epoch_is_the_best_one(gems: Path) -> None:  # noqa: F811
    about = run()
    history = read_history(Path("models/gems/gemnet/history.csv"))
    scores = [(row["validation_accuracy"], -row["validation_loss"]) for row in history]
    assert scores.index(max(scores)) + 1 == about["best_epoch"]
    model, _ = read_model("gems", "gemnet")
    split = Split("gems", "validation")
    with torch.inference_mode():
        predicted = model.eval()(batch_of(split.pixels(48), torch.arange(len(split)))).argmax(1)
    accuracy = (predicted == split.labels).float().mean().item()
    assert accuracy == pytest.approx(about["validation_accuracy"], abs=1e-6)


@pytest.mark.parametrize(
    ("recipe", "stop"), [("gemnet", 1), ("gemnet", 15), ("gemnet", 17), ("efficientnet_lite0", 31)]
)
def test_stopped_anywhere_and_run_again_ends_in_the_same_model(
    gems: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    recipe: str,
    stop: int,
) -> None:
    changes = {"max_steps": 40} if recipe == "gemnet" else {}
    about = run(recipe, **changes)
    unbroken = files_of(recipe)
    assert stop < about["epochs"]
    record = loop.Run.record
    finished = []

    def stop_after(self: loop.Run, *arguments: Any, **named: Any) -> None:
        record(self, *arguments, **named)
        finished.append(1)
        if len(finished) == stop:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop.Run, "record", stop_after)
    with pytest.raises(KeyboardInterrupt):
        run(recipe, **changes)
    assert run(recipe, **changes)["epochs"] == about["epochs"] == len(finished)
    assert files_of(recipe) == unbroken


def test_a_killed_command_goes_on_and_ctrl_c_is_130(gems: Path) -> None:  # noqa: F811
    write_params(gemnet={"max_steps": 2000})
    arguments = ("gemtrain", "train", "--dataset", "gems", "--recipe", "gemnet")
    for number, code in ((signal.SIGKILL, -9), (signal.SIGINT, 130)):
        before = {path: path.stat().st_mtime_ns for path in Path(".cache").rglob("checkpoint.pt")}
        process = start(*arguments, cwd=gems)
        while not any(
            path.stat().st_mtime_ns != before.get(path) for path in Path(".cache").rglob("checkpoint.pt")
        ):
            assert process.poll() is None, process.communicate()
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
        assert process.returncode == code and "Traceback" not in said
    saved = torch.load(next(Path(".cache").rglob("checkpoint.pt")), weights_only=True)
    assert len(saved["history"]) >= 2
    assert not Path("models").exists()


def test_a_new_head_on_frozen_features_leaves_the_rest_alone(gems: Path) -> None:  # noqa: F811
    run("efficientnet_lite0", stages=[{"train": "head", "epochs": 20, "learning_rate": 0.01}])
    model, about = read_model("gems", "efficientnet_lite0")
    fresh = build("efficientnet_lite0", 3, 48)
    from gemtrain.weights import load_body, weights_file

    path = weights_file("efficientnet_lite0", "pretrained")
    assert path is not None
    load_body(fresh.body, path, "efficientnet_lite0")
    before, after = fresh.body.state_dict(), model.body.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert about["validation_accuracy"] >= 0.9


def test_features_are_computed_once_an_image(gems: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    model = build("gemnet", 3, 48)
    pixels = torch.from_numpy(np.stack([texture(0, n) for n in (1, 2, 1, 3)]))
    rows = torch.tensor([0, 1, 2])
    first = frozen_features(model, pixels, rows, CPU)
    assert first.shape == (3, 512) and torch.equal(first[0], first[2]) and not torch.equal(first[0], first[1])
    seen: list[int] = []
    embed = model.embed
    monkeypatch.setattr(model, "embed", lambda images: (seen.append(len(images)), embed(images))[1])
    again = frozen_features(model, pixels, torch.tensor([3, 1]), CPU)
    assert seen == [1] and torch.equal(again[1], first[1])


def test_steps_are_capped_and_stages_shrink_alike(gems: Path) -> None:  # noqa: F811
    write_params(gemnet={"max_steps": None})
    whole, _ = load_settings(Path("params.yaml"), "gemnet")
    steps = round(3 * 2 * PHOTOS["train"] / 8)
    assert [planned.steps for planned in plan_stages(whole, Dataset("gems"))] == [15 * steps, 5 * steps]
    write_params(gemnet={"max_steps": 40})
    capped, _ = load_settings(Path("params.yaml"), "gemnet")
    plan = plan_stages(capped, Dataset("gems"))
    assert [planned.steps for planned in plan] == [30, 10]
    assert [len(planned.epoch_steps) for planned in plan] == [15, 5]
    assert all(steps == 2 for planned in plan for steps in planned.epoch_steps)


def test_rates_rise_and_fall_as_the_stage_says() -> None:
    stage = Stage(1, 1.0, warmup=0.25, decay="cosine")
    factors = [rate_factor(stage, step, 40) for step in range(40)]
    assert factors[:10] == sorted(factors[:10]) and factors[10] == 1.0
    assert factors[10:] == sorted(factors[10:], reverse=True) and factors[-1] < 0.01
    assert factors[25] == pytest.approx(0.5)
    assert {rate_factor(Stage(1, 1.0), step, 40) for step in range(40)} == {1.0}


def test_batches_cover_every_row_once_a_pass_wherever_they_begin() -> None:
    whole = list(row_batches(10, 4, 0, 10, seed=3))
    stream = torch.cat(whole)
    for number in range(4):
        assert sorted(stream[10 * number : 10 * number + 10].tolist()) == list(range(10))
    assert not torch.equal(stream[:10], stream[10:20])
    part = list(row_batches(10, 4, 6, 9, seed=3))
    assert all(torch.equal(one, other) for one, other in zip(part, whole[6:9], strict=True))


def test_augmentation_draws_for_each_image() -> None:
    image = torch.from_numpy(texture(1, 1))
    images = image.expand(1, *image.shape)
    generator = torch.Generator().manual_seed(0)
    batch = batch_of(images, torch.zeros(64, dtype=torch.int64), Augmentation(mirror=True), generator)
    plain = image.permute(2, 0, 1)
    kept = [torch.equal(one, plain) for one in batch]
    mirrored = [torch.equal(one, plain.flip(2)) for one in batch]
    assert all(one != other for one, other in zip(kept, mirrored, strict=True)) and 10 < sum(kept) < 54
    shifted = batch_of(images, torch.zeros(64, dtype=torch.int64), Augmentation(shift=0.1), generator)
    assert len({one.numpy().tobytes() for one in shifted}) > 20
    for one in shifted:
        assert any(
            torch.equal(one[:, 8:40, 8:40], plain[:, 8 + y : 40 + y, 8 + x : 40 + x])
            for y in range(-5, 6)
            for x in range(-5, 6)
        )


def test_decoded_pixels_are_the_images(gems: Path) -> None:  # noqa: F811
    split = Split("gems", "validation")
    pixels = split.pixels(48)
    assert pixels.shape == (12, 48, 48, 3) and pixels.dtype == torch.uint8
    difference = (pixels[5].int() - torch.from_numpy(texture(1, 101)).int()).abs().float().mean()
    assert difference < 12  # JPEG; red and blue swapped would be 50
    assert split.pixels(32).shape == (12, 32, 32, 3)
    stamp = next(Path(".cache/pixels").glob("gems-validation-48-*")).stat().st_mtime_ns
    Split("gems", "validation").pixels(48)
    assert next(Path(".cache/pixels").glob("gems-validation-48-*")).stat().st_mtime_ns == stamp


def test_a_loss_that_is_no_number_stops(gems: Path) -> None:  # noqa: F811
    with pytest.raises(UserError, match=r"loss became .*epoch.*learning_rate"):
        run(stages=[{"epochs": 5, "learning_rate": 1e18}], max_steps=60)
    assert not Path("models").exists()


def refused(match: str) -> None:
    with pytest.raises(UserError, match=match) as error:
        run()
    assert "\n" not in str(error.value)


def test_a_dataset_that_is_missing(gems: Path) -> None:  # noqa: F811
    for path in Path("data/datasets/gems").glob("test-*"):
        path.unlink()
    refused("test-")
    write_params()
    said = command("gemtrain", "train", "--dataset", "none", "--recipe", "gemnet", cwd=gems, expect=2).stderr
    assert "data/datasets/none" in said


def test_a_truncated_parquet(gems: Path) -> None:  # noqa: F811
    path = Path("data/datasets/gems/train-00000.parquet")
    path.write_bytes(path.read_bytes()[:-50])
    refused(r"train-00000\.parquet.*not a complete Parquet")


def test_one_class(gems: Path) -> None:  # noqa: F811
    make_dataset(classes=1)
    refused("1 class")


def test_a_class_without_photos_in_a_split(gems: Path) -> None:  # noqa: F811
    rows = pq.read_table("data/datasets/gems/validation-00000.parquet").to_pylist()
    write_rows("gems", "validation", [row for row in rows if row["label"] != 1])
    refused("'Garnet'.*validation")


def test_labels_that_mean_something_else(gems: Path) -> None:  # noqa: F811
    rows = pq.read_table("data/datasets/gems/test-00000.parquet").to_pylist()
    write_rows("gems", "test", [{**row, "label": 2 - row["label"]} for row in rows])
    refused("label [02].*test")


def test_an_image_that_cannot_be_decoded_is_named(gems: Path) -> None:  # noqa: F811
    rows = pq.read_table("data/datasets/gems/train-00000.parquet").to_pylist()
    rows[4]["image"]["bytes"] = rows[4]["image"]["bytes"][:60]
    write_rows("gems", "train", rows)
    refused(r"row 4 of 'data/datasets/gems/train-00000\.parquet'")


def test_weights_of_another_network(gems: Path) -> None:  # noqa: F811
    run(max_steps=2)
    with pytest.raises(UserError, match="another network"):
        run("efficientnet_lite0", weights="models/gems/gemnet/model.safetensors")
    with pytest.raises(UserError, match="another network"):
        run(weights="models/gems/gemnet/model.safetensors", image_size=96)
    assert run(weights="models/gems/gemnet/model.safetensors", max_steps=2)["epochs"] == 2
