"""Training: the loop, resuming, features, augmentation, and datasets that cannot be trained on."""

import io
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from conftest import command, start
from PIL import Image
from test_gemtrain import PHOTOS, gems, gemtrain, make_dataset, texture, write_params, write_rows  # noqa: F401

from gemkit.errors import UserError
from gemtrain.augment import augmented, oriented
from gemtrain.data import Dataset, Split, batch_of
from gemtrain.device import is_out_of_memory
from gemtrain.features import frozen_features
from gemtrain.models import Classifier, build
from gemtrain.predictions import predict
from gemtrain.recipe import Augmentation, Recipe, Stage, load_settings
from gemtrain.run import Run
from gemtrain.schedule import merit, plan_stages, rate_factor, row_batches
from gemtrain.store import read_history, read_model
from gemtrain.train import balancing_weights, train
from gemtrain.weights import load_body, weights_file

CPU = torch.device("cpu")


def run(recipe: str = "gemnet", **changes: Any) -> dict[str, Any]:
    write_params(**({recipe: changes} if changes else {}))
    settings, seed = load_settings(Path("params.yaml"), recipe)
    return train("gems", recipe, settings, seed, CPU)


def files_of(recipe: str = "gemnet") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(f"models/gems/{recipe}").iterdir()}


def history_of(recipe: str = "gemnet") -> list[dict[str, float]]:
    return read_history(Path(f"models/gems/{recipe}/history.csv"))


def validation_accuracy(model: Classifier) -> float:
    split = Split("gems", "validation")
    probabilities, _ = predict(model, split.pixels(48), CPU)
    return float((probabilities.argmax(1) == split.labels.numpy()).mean())


def test_it_learns(gems: Path) -> None:  # noqa: F811
    about = run(max_steps=120, augmentation={"mirror": True, "shift": 0.05})
    assert about["validation_accuracy"] > 0.9


def test_the_kept_epoch_is_the_best_one(gems: Path) -> None:  # noqa: F811
    about = run()
    scores = [(row["validation_accuracy"], -row["validation_loss"]) for row in history_of()]
    assert scores.index(max(scores)) + 1 == about["best_epoch"]
    model, _ = read_model("gems", "gemnet")
    assert validation_accuracy(model) == pytest.approx(about["validation_accuracy"], abs=1e-6)


def test_an_epoch_is_kept_by_the_named_criterion(gems: Path) -> None:  # noqa: F811
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
        keep: max(rows, key=lambda row: merit(keep, row))["epoch"]
        for keep in ("accuracy", "loss", "closest", "last")
    }
    assert kept == {"accuracy": 4, "loss": 3, "closest": 2, "last": 5}


@pytest.mark.parametrize("channels", [1, 4])
def test_images_of_other_channels(gems: Path, channels: int) -> None:  # noqa: F811
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


def test_a_stage_ends_when_patience_runs_out(gems: Path) -> None:  # noqa: F811
    stages = [{"epochs": epochs, "learning_rate": 1e-30} for epochs in (6, 2, 5)]
    about = run(stages=stages, max_steps=26, patience=2)
    assert [row["stage"] for row in history_of()] == [1, 1, 1, 2, 2, 3, 3, 3]
    assert about["best_epoch"] == 1


def test_state_and_metrics_of_every_stage_are_kept(gems: Path) -> None:  # noqa: F811
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


def test_weight_decay_is_for_kernels_and_that_of_a_loss_term(gems: Path) -> None:  # noqa: F811
    after = []
    for decay in (0.0, 0.5):
        stages = [{"epochs": 1, "learning_rate": 0.01}]
        run(stages=stages, max_steps=1, optimiser="sgd", weight_decay=decay)
        after.append(read_model("gems", "gemnet")[0].state_dict())
    torch.manual_seed(1)
    for key, value in build("gemnet", 3, 48).state_dict().items():
        expected = -0.01 * 0.5 * value if key.endswith("weight") else 0 * value
        assert torch.allclose(after[1][key] - after[0][key], expected, atol=1e-6)


HEAD_THEN_ALL_THEN_AVERAGED = {
    "max_steps": 6,
    "class_weights": True,
    "stages": [
        {"epochs": 3, "learning_rate": 0.01, "train": "head", "each_photo_once": True},
        {"epochs": 1, "learning_rate": 0.001, "image_size": 32, "keep_statistics": True},
        {"epochs": 2, "learning_rate": 0.001, "warmup": 0.1, "decay": "cosine", "ema_decay": 0.5},
    ],
}
DENSE_THEN_ALL = {
    "weights": "none",
    "patience": 1,
    "stages": [
        {"epochs": 3, "learning_rate": 0.01, "train": "dense"},
        {"epochs": 3, "learning_rate": 0.001},
    ],
}


@pytest.mark.parametrize(
    ("recipe", "stop", "changes"),
    [
        ("gemnet", 15, {"max_steps": 40}),
        ("gemnet", 1, DENSE_THEN_ALL),
        ("efficientnet_lite0", 5, HEAD_THEN_ALL_THEN_AVERAGED),
    ],
)
def test_stopped_anywhere_and_run_again_ends_in_the_same_model(
    gems: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    recipe: str,
    stop: int,
    changes: dict[str, Any],
) -> None:
    about = run(recipe, **changes)
    unbroken = files_of(recipe)
    assert stop < about["epochs"]
    record = Run.record
    finished = []

    def stop_after(self: Run, *arguments: Any) -> bool:
        over = record(self, *arguments)
        finished.append(1)
        if len(finished) == stop:
            raise KeyboardInterrupt
        return over

    monkeypatch.setattr(Run, "record", stop_after)
    with pytest.raises(KeyboardInterrupt):
        run(recipe, **changes)
    assert run(recipe, **changes)["epochs"] == about["epochs"] == len(finished)
    assert files_of(recipe) == unbroken


def test_killed_in_the_middle_of_epochs_it_ends_in_the_same_bytes_and_ctrl_c_is_130(
    gems: Path,  # noqa: F811
) -> None:
    stages = [{"epochs": 3, "learning_rate": 1e-3}, {"epochs": 3, "learning_rate": 1e-4}]
    write_params(gemnet={"image_size": 96, "max_steps": 54, "stages": stages})
    training = "gemtrain", "train", "--dataset", "gems", "--recipe", "gemnet"
    command(*training, cwd=gems)
    unbroken = files_of()
    for path in Path("models/gems/gemnet").iterdir():
        path.unlink()
    for number, code, stage in ((signal.SIGKILL, -9, 1), (signal.SIGINT, 130, 1), (signal.SIGKILL, -9, 2)):
        seen = stamps()
        process = start(*training, cwd=gems)
        await_until(lambda: stamps() != seen, process)  # noqa: B023
        if stage == 2:
            await_until(lambda: any(Path(".cache").rglob("stage-1.safetensors")), process)
        time.sleep(0.1)  # into the next epoch
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
        assert process.returncode == code and "Traceback" not in said
    saved = torch.load(next(Path(".cache").rglob("checkpoint.pt")), weights_only=True)
    assert 3 <= len(saved["history"]) < 6 and saved["stage"] == 1
    assert not files_of()
    command(*training, cwd=gems)
    assert files_of() == unbroken


def stamps() -> list[int]:
    return [path.stat().st_mtime_ns for path in Path(".cache").rglob("checkpoint.pt")]


def await_until(ready: Callable[[], bool], process: Any) -> None:
    while not ready():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


def test_a_new_head_on_frozen_features_leaves_the_rest_alone(gems: Path) -> None:  # noqa: F811
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
    gems: Path,  # noqa: F811
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
def test_a_classifier_on_early_and_deep_features(gems: Path, kind: str, classes: int) -> None:  # noqa: F811
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


def test_averaged_weights_are_kept_and_gone_on_from(gems: Path) -> None:  # noqa: F811
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
    gems: Path,  # noqa: F811
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


def changed(image: np.ndarray, count: int, **changes: Any) -> torch.Tensor:
    """`count` augmented copies of one image, [count, 3, H, W] float32."""
    images, rows = torch.from_numpy(image)[None], torch.zeros(count, dtype=torch.int64)
    generator = torch.Generator().manual_seed(0)
    return augmented(images, rows, Augmentation(**changes), generator, CPU).float()


def test_augmentation_draws_for_each_image() -> None:
    image = texture(1, 1)
    plain = torch.from_numpy(image).permute(2, 0, 1).float()
    batch = changed(image, 64, mirror=True)
    kept = [torch.equal(one, plain) for one in batch]
    mirrored = [torch.equal(one, plain.flip(2)) for one in batch]
    assert all(one != other for one, other in zip(kept, mirrored, strict=True)) and 10 < sum(kept) < 54
    shifted = changed(image, 64, shift=0.1)
    assert len({one.numpy().tobytes() for one in shifted}) > 20
    for one in shifted:
        assert any(
            torch.equal(one[:, 8:40, 8:40], plain[:, 8 + y : 40 + y, 8 + x : 40 + x])
            for y in range(-5, 6)
            for x in range(-5, 6)
        )


@pytest.mark.parametrize(
    "changes", [{"rotate": 180}, {"zoom": 0.5}, {"shear": 30}, {"crop": 0.5}, {"rotate": 20, "crop": 0.3}]
)
def test_a_warp_changes_no_colour_and_is_drawn_again_for_each_image(changes: dict[str, float]) -> None:
    plain = np.full((32, 32, 3), (200, 60, 7), dtype=np.uint8)
    assert torch.allclose(changed(plain, 8, **changes), torch.tensor([200.0, 60, 7]).view(3, 1, 1), atol=1e-3)
    image = texture(1, 1)
    batch = changed(image, 32, **changes)
    assert len({one.numpy().tobytes() for one in batch}) == 32 and torch.equal(
        batch, changed(image, 32, **changes)
    )
    nothing = changed(image, 4, **dict.fromkeys(changes, 0.0))
    assert torch.equal(nothing, torch.from_numpy(image).permute(2, 0, 1).float().expand(4, -1, -1, -1))


def spots(**changes: float) -> torch.Tensor:
    """Where a spot 16 pixels right of and 8 below the centre goes, from the centre: [256, (right, down)]."""
    y, x = np.mgrid[-48:48, -48:48] + 0.5
    spot = 255 * np.exp(-((x - 16) ** 2 + (y - 8) ** 2) / 20)
    batch = changed(np.repeat(spot[..., None], 3, axis=2).astype(np.uint8), 256, **changes)[:, 0]
    places = [torch.from_numpy(grid).float() for grid in (x, y)]
    return torch.stack([(batch * place).sum((1, 2)) / batch.sum((1, 2)) for place in places], dim=1)


def test_warps_do_what_their_names_say_and_as_far_as_they_may() -> None:
    def close(found: torch.Tensor, expected: float) -> bool:
        return bool((found - expected).abs().max() < 0.3)

    def spans(found: torch.Tensor, least: float, most: float) -> bool:
        """Within the limits, nearly up to both."""
        slack = 0.03 * (most - least)
        return bool(
            least - slack < found.min() < least + 2 * slack and most - 2 * slack < found.max() < most + slack
        )

    far, angle = 320**0.5, np.degrees(np.arctan2(8, 16))
    turned = spots(rotate=30)
    assert close(turned.norm(dim=1), far)
    assert spans(torch.atan2(turned[:, 1], turned[:, 0]).rad2deg() - angle, -30, 30)
    zoomed = spots(zoom=0.25)
    assert close(zoomed[:, 0] - 2 * zoomed[:, 1], 0) and spans(zoomed.norm(dim=1) / far, 0.75, 1.25)
    sheared = spots(shear=20)
    assert close(sheared[:, 1], 8)
    assert spans(sheared[:, 0] - 16, *(8 * np.tan(np.radians((-20, 20)))))
    cut = spots(crop=0.25)
    # Where the spot is in a square of side s at most 24 pixels smaller than 96, in units of the square.
    assert spans(cut[:, 0], (16 - 12) / 0.75, (16 + 12) / 0.75)


def test_views_are_even_turns_of_the_image_and_of_its_mirror_image() -> None:
    image = torch.from_numpy(texture(1, 1)).permute(2, 0, 1).float()
    turned = [one.rot90(quarters, (1, 2)) for quarters in range(4) for one in (image, image.flip(2))]
    for views, exact in ((1, turned[:1]), (2, turned[:2]), (4, turned[:2] + turned[4:6]), (8, turned)):
        found = [oriented(image[None], number, views)[0] for number in range(views)]
        assert all(torch.equal(one, other) for one, other in zip(found, exact, strict=True))
    y, x = np.mgrid[-48:48, -48:48] + 0.5
    spot = torch.from_numpy(255 * np.exp(-((x - 16) ** 2 + (y - 8) ** 2) / 20)).float()
    angles = []
    for number in range(16):
        seen = oriented(spot[None, None], number, 16)[0, 0]
        up, right = ((seen.numpy() * place).sum() for place in (-y, x))
        angles.append(np.degrees(np.arctan2(up, right)))
    own = np.degrees(np.arctan2(-8, 16))
    expected = [turn + angle for turn in range(0, 360, 45) for angle in (own, 180 - own)]
    assert np.allclose((np.array(angles) - expected + 180) % 360, 180, atol=0.5)


def test_probabilities_are_the_mean_over_views(gems: Path) -> None:  # noqa: F811
    model = build("gemnet", 3, 48)
    pixels = Split("gems", "validation").pixels(48)[:3]
    turned = [pixels.rot90(quarters, (1, 2)) for quarters in range(4)]
    alone = [predict(model, each, CPU) for image in turned for each in (image, image.flip(2))]
    together = predict(model, pixels, CPU, views=8)
    for part in (0, 1):
        assert np.allclose(together[part], np.mean([answer[part] for answer in alone], axis=0), atol=1e-5)
    assert np.allclose(predict(model, turned[1], CPU, views=8)[0], together[0], atol=1e-5)
    assert not np.allclose(alone[0][0], together[0], atol=1e-5)


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
    with pytest.raises(UserError, match=r"loss became \S+ (in batch|on the) .*of epoch \d.*learning_rate"):
        run(stages=[{"epochs": 5, "learning_rate": 1e18}], max_steps=60)
    assert not Path("models").exists()


def test_a_batch_that_is_too_large_for_the_memory_names_one_that_fits(
    gems: Path,  # noqa: F811
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


def test_a_dataset_that_is_missing(gems: Path) -> None:  # noqa: F811
    for path in Path("data/datasets/gems").glob("test-*"):
        path.unlink()
    refused("test-")
    settings, seed = load_settings(Path("params.yaml"), "gemnet")
    with pytest.raises(UserError, match="data/datasets/none"):
        train("none", "gemnet", settings, seed, CPU)


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
