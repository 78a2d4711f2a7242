"""Training: the loop, its stages, the selected epoch, frozen features, and classifiers on them."""

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from gemkit.errors import UserError
from gemkit.project import Project
from gemtrain.data.dataset import Split
from gemtrain.model_metadata import EpochResult
from gemtrain.model_store import read_history, read_model
from gemtrain.models.classifier import Classifier
from gemtrain.models.loading import load_body, weights_file
from gemtrain.models.lookup import build
from gemtrain.recipe import Recipe
from gemtrain.scoring.model_outputs import predict
from gemtrain.training.schedule import selection_score
from gemtrain.training.train import train
from tests.helpers.textures import SOURCES, make_dataset, write_rows
from tests.helpers.training import CPU, files_of, run


def history_of(recipe: str = "gemnet") -> list[EpochResult]:
    return read_history(Path(f"models/gems/{recipe}/history.csv"))


def validation_accuracy(model: Classifier) -> float:
    split = Split(Project(), "gems", "validation")
    probabilities, _ = predict(model, split.pixels(48), CPU)
    return float((probabilities.argmax(1) == split.labels.numpy()).mean())


def test_it_learns(gems: Path) -> None:
    metadata = run(max_steps=40, augmentation={"mirror": True, "shift": 0.05})
    assert metadata.validation_accuracy > 0.9


def test_the_selected_epoch_is_the_best_one(gems: Path) -> None:
    metadata = run()
    scores = [(row.validation_accuracy, -row.validation_loss) for row in history_of()]
    assert scores.index(max(scores)) + 1 == metadata.best_epoch
    model, _ = read_model(Project(), "gems", "gemnet")
    assert validation_accuracy(model) == pytest.approx(metadata.validation_accuracy, abs=1e-6)


def test_the_monitor_selects_the_epoch(gems: Path) -> None:
    metadata = run(monitor="last")
    assert metadata.best_epoch == metadata.epochs == len(history_of())
    scores = [(0.5, 0.9, 0.4), (0.7, 0.7, 0.6), (0.9, 0.6, 0.65), (1.0, 0.8, 0.7), (1.0, 0.8, 0.7)]
    rows = [
        EpochResult(epoch, 1, 0.1, 0.0, train_accuracy, validation_loss, validation_accuracy)
        for epoch, (train_accuracy, validation_loss, validation_accuracy) in enumerate(scores, start=1)
    ]
    kept = {
        monitor: max(rows, key=lambda row: selection_score(monitor, row)).epoch
        for monitor in ("accuracy", "loss", "closest", "last")
    }
    assert kept == {"accuracy": 4, "loss": 3, "closest": 2, "last": 5}


@pytest.mark.parametrize("channels", [1, 4])
def test_images_of_other_channels(gems: Path, channels: int) -> None:
    rows = {}
    for split in SOURCES:
        path = f"data/datasets/gems/{split}-00000.parquet"
        rows[split] = pq.read_table(path).to_pylist()
        for row in rows[split]:
            with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
                image.putalpha(255 - 100 * row["label"])
                content = io.BytesIO()
                image.save(content, "PNG")
            row["image"]["bytes"] = content.getvalue()
        write_rows("gems", split, rows[split])
    metadata = run(channels=channels, weights="none", max_steps=8)
    model, _ = read_model(Project(), "gems", "gemnet")
    split = Split(Project(), "gems", "validation")
    probabilities, _ = predict(model, split.pixels(48, channels), CPU)
    accuracy = (probabilities.argmax(1) == split.labels.numpy()).mean()
    assert accuracy == pytest.approx(metadata.validation_accuracy, abs=1e-6)


def test_a_stage_ends_when_patience_runs_out(gems: Path) -> None:
    stages = [{"epochs": epochs, "learning_rate": 1e-30} for epochs in (6, 2, 5)]
    metadata = run(stages=stages, max_steps=26, patience=2)
    assert [row.stage for row in history_of()] == [1, 1, 1, 2, 2, 3, 3, 3]
    assert metadata.best_epoch == 1


def test_state_and_metrics_of_every_stage_are_saved(gems: Path) -> None:
    stages = [
        {"epochs": 6, "learning_rate": 0.01, "train": "dense"},
        {"epochs": 2, "learning_rate": 0.001},
    ]
    metadata = run(stages=stages)
    ends = [[row for row in history_of() if row.stage == number][-1] for number in (1, 2)]
    torch.manual_seed(1)
    fresh = build("gemnet", 3, 48).state_dict()
    for end, said in zip(ends, metadata.stages, strict=True):
        for key in ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy"):
            assert getattr(said, key) == pytest.approx(getattr(end, key), rel=1e-5)
        model, _ = read_model(Project(), "gems", "gemnet")
        load_state(model, f"models/gems/gemnet/stage-{said.stage}.safetensors")
        assert validation_accuracy(model) == pytest.approx(said.validation_accuracy, abs=1e-6)
        learnt = {key for key, value in model.state_dict().items() if not torch.equal(value, fresh[key])}
        convolutions = {key for key in fresh if key.startswith("body.features.")}
        assert learnt == (set(fresh) - convolutions if said.stage == 1 else set(fresh))
    assert metadata.stages[0].validation_accuracy > 0.5  # of 1/3 by chance


def load_state(model: Classifier, path: str) -> None:
    from safetensors.torch import load_file

    model.load_state_dict(load_file(path))


def test_weight_decay_is_that_of_a_loss_term_and_only_of_kernels(gems: Path) -> None:
    after = []
    for decay in (0.0, 0.5):
        stages = [{"epochs": 1, "learning_rate": 0.01}]
        run(stages=stages, max_steps=1, optimiser="sgd", weight_decay=decay)
        after.append(read_model(Project(), "gems", "gemnet")[0].state_dict())
    torch.manual_seed(1)
    for key, value in build("gemnet", 3, 48).state_dict().items():
        expected = -0.01 * 0.5 * value if key.endswith("weight") else 0 * value
        assert torch.allclose(after[1][key] - after[0][key], expected, atol=1e-6)


def test_a_new_head_on_frozen_features_leaves_the_rest_alone(gems: Path) -> None:
    run("efficientnet_lite0", stages=[{"train": "head", "epochs": 6, "learning_rate": 0.01}])
    model, metadata = read_model(Project(), "gems", "efficientnet_lite0")
    fresh = build("efficientnet_lite0", 3, 48)
    path = weights_file(Project(), "efficientnet_lite0", "pretrained")
    assert path is not None
    load_body(fresh.body, path, "efficientnet_lite0")
    before, after = fresh.body.state_dict(), model.body.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert metadata.validation_accuracy >= 0.9


@pytest.mark.parametrize(
    ("kind", "classes"), [("linear", 3), pytest.param("svm", 3, marks=pytest.mark.slow), ("svm", 2)]
)
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
    metadata = train(Project(), "gems", recipe.named("frozen"), 1, CPU)
    first = files_of("frozen")
    assert metadata.validation_accuracy >= 0.9 and metadata.stages == [] and len(history_of("frozen")) == 1
    model, _ = read_model(Project(), "gems", "frozen")
    split = Split(Project(), "gems", "validation")
    probabilities, features = predict(model, split.pixels(48), CPU)
    assert features.shape[1] == 24 + 1000  # the second block's maps, and ImageNet's classes
    assert (probabilities.argmax(1) == split.labels.numpy()).mean() == metadata.validation_accuracy
    likelihood = -np.log(probabilities[np.arange(len(split)), split.labels]).mean()
    assert likelihood == pytest.approx(metadata.validation_loss, abs=2e-3)
    train(Project(), "gems", recipe.named("frozen"), 1, CPU)
    assert files_of("frozen") == first


def test_averaged_weights_are_saved_and_used_by_the_next_stage(gems: Path) -> None:
    def after(steps: int, **stage: float) -> dict[str, torch.Tensor]:
        stages = [{"epochs": 1, "learning_rate": 0.1, **stage}, {"epochs": 1, "learning_rate": 1e-30}]
        run(stages=stages, max_steps=2 * steps, optimiser="sgd", monitor="last")
        state = read_model(Project(), "gems", "gemnet")[0].state_dict()
        load_state(model := build("gemnet", 3, 48), "models/gems/gemnet/stage-1.safetensors")
        assert all(torch.allclose(value, state[key]) for key, value in model.state_dict().items())
        return state

    first, second, third = (after(steps) for steps in (1, 2, 3))
    average = after(3, ema_decay=0.75)
    for key, value in average.items():
        expected = 0.75 * (0.75 * first[key] + 0.25 * second[key]) + 0.25 * third[key]
        assert torch.allclose(value, expected, atol=1e-6) and not torch.allclose(value, third[key], atol=1e-6)


def test_a_stage_trains_on_images_of_its_own_size(
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
    with pytest.raises(UserError, match="layers of the network 'gemnet' differ between images of 96"):
        run(stages=[{"epochs": 1, "learning_rate": 1e-3, "image_size": 96}])
