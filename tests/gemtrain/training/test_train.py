"""Training: the loop, its stages, the epoch that is kept, frozen features, classifiers on them."""

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from gemkit.errors import UserError
from gemtrain.data.dataset import Dataset, Split, batch_of
from gemtrain.model_store import read_history, read_model
from gemtrain.models.classifier import Classifier
from gemtrain.models.loading import load_body, weights_file
from gemtrain.models.lookup import build
from gemtrain.recipe import Recipe, Stage, load_settings
from gemtrain.scoring.model_outputs import predict
from gemtrain.training.feature_cache import frozen_features
from gemtrain.training.schedule import plan_stages, rate_factor, row_batches, selection_score
from gemtrain.training.train import balancing_weights, train
from tests.helpers.textures import PHOTOS, make_dataset, texture, write_params, write_rows
from tests.helpers.training import CPU, files_of, run


def history_of(recipe: str = "gemnet") -> list[dict[str, float]]:
    return read_history(Path(f"models/gems/{recipe}/history.csv"))


def validation_accuracy(model: Classifier) -> float:
    split = Split("gems", "validation")
    probabilities, _ = predict(model, split.pixels(48), CPU)
    return float((probabilities.argmax(1) == split.labels.numpy()).mean())


def test_it_learns(gems: Path) -> None:
    about = run(max_steps=120, augmentation={"mirror": True, "shift": 0.05})
    assert about["validation_accuracy"] > 0.9


def test_the_kept_epoch_is_the_best_one(gems: Path) -> None:
    about = run()
    scores = [(row["validation_accuracy"], -row["validation_loss"]) for row in history_of()]
    assert scores.index(max(scores)) + 1 == about["best_epoch"]
    model, _ = read_model("gems", "gemnet")
    assert validation_accuracy(model) == pytest.approx(about["validation_accuracy"], abs=1e-6)


def test_an_epoch_is_kept_by_the_named_criterion(gems: Path) -> None:
    about = run(keep="last")
    assert about["best_epoch"] == about["epochs"] == len(history_of())
    rows = [
        {"epoch": 1, "train_accuracy": 0.5, "validation_accuracy": 0.4, "validation_loss": 0.9},
        {"epoch": 2, "train_accuracy": 0.7, "validation_accuracy": 0.6, "validation_loss": 0.7},
        {"epoch": 3, "train_accuracy": 0.9, "validation_accuracy": 0.65, "validation_loss": 0.6},
        {"epoch": 4, "train_accuracy": 1.0, "validation_accuracy": 0.7, "validation_loss": 0.8},
        {"epoch": 5, "train_accuracy": 1.0, "validation_accuracy": 0.7, "validation_loss": 0.8},
    ]
    kept = {
        keep: max(rows, key=lambda row: selection_score(keep, row))["epoch"]
        for keep in ("accuracy", "loss", "closest", "last")
    }
    assert kept == {"accuracy": 4, "loss": 3, "closest": 2, "last": 5}


@pytest.mark.parametrize("channels", [1, 4])
def test_images_of_other_channels(gems: Path, channels: int) -> None:
    rows = {}
    for split in PHOTOS:
        path = f"data/datasets/gems/{split}-00000.parquet"
        rows[split] = pq.read_table(path).to_pylist()
        for row in rows[split]:
            with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
                image.putalpha(255 - 100 * row["label"])
                content = io.BytesIO()
                image.save(content, "PNG")
            row["image"]["bytes"] = content.getvalue()
        write_rows("gems", split, rows[split])
    about = run(channels=channels, weights="none", max_steps=30)
    model, _ = read_model("gems", "gemnet")
    split = Split("gems", "validation")
    probabilities, _ = predict(model, split.pixels(48, channels), CPU)
    accuracy = (probabilities.argmax(1) == split.labels.numpy()).mean()
    assert accuracy == pytest.approx(about["validation_accuracy"], abs=1e-6)


def test_a_stage_ends_when_patience_runs_out(gems: Path) -> None:
    stages = [{"epochs": epochs, "learning_rate": 1e-30} for epochs in (6, 2, 5)]
    about = run(stages=stages, max_steps=26, patience=2)
    assert [row["stage"] for row in history_of()] == [1, 1, 1, 2, 2, 3, 3, 3]
    assert about["best_epoch"] == 1


def test_state_and_metrics_of_every_stage_are_kept(gems: Path) -> None:
    stages = [
        {"epochs": 6, "learning_rate": 0.01, "train": "dense"},
        {"epochs": 2, "learning_rate": 0.001},
    ]
    about = run(stages=stages)
    ends = [[row for row in history_of() if row["stage"] == number][-1] for number in (1, 2)]
    torch.manual_seed(1)
    fresh = build("gemnet", 3, 48).state_dict()
    for end, said in zip(ends, about["stages"], strict=True):
        for key in ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy"):
            assert said[key] == pytest.approx(end[key], rel=1e-5)
        model, _ = read_model("gems", "gemnet")
        load_state(model, f"models/gems/gemnet/stage-{said['stage']}.safetensors")
        assert validation_accuracy(model) == pytest.approx(said["validation_accuracy"], abs=1e-6)
        learnt = {key for key, value in model.state_dict().items() if not torch.equal(value, fresh[key])}
        convolutions = {key for key in fresh if key.startswith("body.features.")}
        assert learnt == (set(fresh) - convolutions if said["stage"] == 1 else set(fresh))
    assert about["stages"][0]["validation_accuracy"] > 0.5  # of 1/3 by chance


def load_state(model: Classifier, path: str) -> None:
    from safetensors.torch import load_file

    model.load_state_dict(load_file(path))


def test_weight_decay_is_for_kernels_and_that_of_a_loss_term(gems: Path) -> None:
    after = []
    for decay in (0.0, 0.5):
        stages = [{"epochs": 1, "learning_rate": 0.01}]
        run(stages=stages, max_steps=1, optimiser="sgd", weight_decay=decay)
        after.append(read_model("gems", "gemnet")[0].state_dict())
    torch.manual_seed(1)
    for key, value in build("gemnet", 3, 48).state_dict().items():
        expected = -0.01 * 0.5 * value if key.endswith("weight") else 0 * value
        assert torch.allclose(after[1][key] - after[0][key], expected, atol=1e-6)


def test_a_new_head_on_frozen_features_leaves_the_rest_alone(gems: Path) -> None:
    run("efficientnet_lite0", stages=[{"train": "head", "epochs": 6, "learning_rate": 0.01}])
    model, about = read_model("gems", "efficientnet_lite0")
    fresh = build("efficientnet_lite0", 3, 48)
    path = weights_file("efficientnet_lite0", "pretrained")
    assert path is not None
    load_body(fresh.body, path, "efficientnet_lite0")
    before, after = fresh.body.state_dict(), model.body.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert about["validation_accuracy"] >= 0.9


def test_features_are_computed_once_and_are_the_same_bits_whatever_was_there(
    gems: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = build("gemnet", 3, 48).eval()
    pixels = torch.from_numpy(np.stack([texture(0, n) for n in (1, 2, 1, 3)]))
    first = frozen_features(model.embed, "one", pixels, torch.tensor([0, 1, 2]), CPU)
    assert first.shape == (3, 512) and torch.equal(first[0], first[2]) and not torch.equal(first[0], first[1])
    with torch.inference_mode():
        own = model.embed(batch_of(pixels, torch.arange(3)))
    assert torch.allclose(first.float(), own, rtol=1e-3, atol=1e-5)
    seen: list[int] = []

    def counted(images: torch.Tensor) -> torch.Tensor:
        seen.append(len(images.flatten(1).unique(dim=0)))
        return model.embed(images)

    again = frozen_features(counted, "one", pixels, torch.tensor([3, 1]), CPU)
    assert seen == [1] and torch.equal(again[1], first[1])
    assert torch.equal(frozen_features(model.embed, "two", pixels, torch.tensor([3, 1]), CPU), again)


@pytest.mark.parametrize(("kind", "classes"), [("linear", 3), ("svm", 3), ("svm", 2)])
def test_a_classifier_on_early_and_deep_features(gems: Path, kind: str, classes: int) -> None:
    make_dataset(classes=classes)
    recipe = Recipe(
        description="",
        network="efficientnet_lite0",
        image_size=48,
        weights="pretrained",
        features=("early", "deep"),
        classifier=kind,  # type: ignore[arg-type]
    )
    about = train("gems", "frozen", recipe, 1, CPU)
    first = files_of("frozen")
    assert about["validation_accuracy"] >= 0.9 and about["stages"] == [] and len(history_of("frozen")) == 1
    model, _ = read_model("gems", "frozen")
    split = Split("gems", "validation")
    probabilities, features = predict(model, split.pixels(48), CPU)
    assert features.shape[1] == 24 + 1000  # the second block's maps, and ImageNet's classes
    assert (probabilities.argmax(1) == split.labels.numpy()).mean() == about["validation_accuracy"]
    likelihood = -np.log(probabilities[np.arange(len(split)), split.labels]).mean()
    assert likelihood == pytest.approx(about["validation_loss"], abs=2e-3)
    train("gems", "frozen", recipe, 1, CPU)
    assert files_of("frozen") == first


def test_averaged_weights_are_kept_and_gone_on_from(gems: Path) -> None:
    def after(steps: int, **stage: float) -> dict[str, torch.Tensor]:
        stages = [{"epochs": 1, "learning_rate": 0.1, **stage}, {"epochs": 1, "learning_rate": 1e-30}]
        run(stages=stages, max_steps=2 * steps, optimiser="sgd", keep="last")
        state = read_model("gems", "gemnet")[0].state_dict()
        load_state(model := build("gemnet", 3, 48), "models/gems/gemnet/stage-1.safetensors")
        assert all(torch.allclose(value, state[key]) for key, value in model.state_dict().items())
        return state

    first, second, third = (after(steps) for steps in (1, 2, 3))
    average = after(3, ema_decay=0.75)
    for key, value in average.items():
        expected = 0.75 * (0.75 * first[key] + 0.25 * second[key]) + 0.25 * third[key]
        assert torch.allclose(value, expected, atol=1e-6) and not torch.allclose(value, third[key], atol=1e-6)


def test_averaging_is_for_the_whole_network() -> None:
    with pytest.raises(ValueError, match='\'ema_decay\' is for stages that train "all", not "head"'):
        Stage(1, 0.1, train="head", ema_decay=0.9)
    with pytest.raises(ValueError, match="'ema_decay' must be at least 0 and below 1"):
        Stage(1, 0.1, ema_decay=1.0)


def test_a_stage_learns_from_images_of_its_own_size(
    gems: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forward, seen = Classifier.forward, []

    def noted(self: Classifier, images: torch.Tensor) -> torch.Tensor:
        seen.append((self.training, images.shape[2]))
        return forward(self, images)

    monkeypatch.setattr(Classifier, "forward", noted)
    stages = [{"epochs": 1, "learning_rate": 1e-3, "image_size": 32}, {"epochs": 1, "learning_rate": 1e-3}]
    run("efficientnet_lite0", stages=stages, max_steps=2)
    assert seen == [(True, 32), (False, 48), (True, 48), (False, 48)]
    with pytest.raises(UserError, match="'gemnet' has other layers for images of 96 pixels"):
        run(stages=[{"epochs": 1, "learning_rate": 1e-3, "image_size": 96}])


def test_class_weights_make_all_classes_count_the_same() -> None:
    weights = balancing_weights(torch.tensor([0] * 5 + [1] * 24 + [2] * 24))
    assert torch.allclose(weights * torch.tensor([5.0, 24, 24]), torch.tensor(53 / 3))


def test_steps_are_capped_and_stages_shrink_alike(gems: Path) -> None:
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


def test_probabilities_are_the_mean_over_views(gems: Path) -> None:
    model = build("gemnet", 3, 48)
    pixels = Split("gems", "validation").pixels(48)[:3]
    turned = [pixels.rot90(quarters, (1, 2)) for quarters in range(4)]
    alone = [predict(model, each, CPU) for image in turned for each in (image, image.flip(2))]
    together = predict(model, pixels, CPU, views=8)
    for part in (0, 1):
        assert np.allclose(together[part], np.mean([answer[part] for answer in alone], axis=0), atol=1e-5)
    assert np.allclose(predict(model, turned[1], CPU, views=8)[0], together[0], atol=1e-5)
    assert not np.allclose(alone[0][0], together[0], atol=1e-5)


def test_decoded_pixels_are_the_images(gems: Path) -> None:
    split = Split("gems", "validation")
    pixels = split.pixels(48)
    assert pixels.shape == (12, 48, 48, 3) and pixels.dtype == torch.uint8
    difference = (pixels[5].int() - torch.from_numpy(texture(1, 101)).int()).abs().float().mean()
    assert difference < 12  # JPEG; red and blue swapped would be 50
    assert split.pixels(32).shape == (12, 32, 32, 3)
    stamp = next(Path(".cache/pixels").glob("gems-validation-48-*")).stat().st_mtime_ns
    Split("gems", "validation").pixels(48)
    assert next(Path(".cache/pixels").glob("gems-validation-48-*")).stat().st_mtime_ns == stamp
