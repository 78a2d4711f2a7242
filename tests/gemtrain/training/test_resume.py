"""A training that is stopped or killed, and then resumed."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gemtrain.training.checkpoint import CheckpointFolder, TrainingState
from tests.helpers.commands import called, start
from tests.helpers.textures import write_params
from tests.helpers.training import files_of, run

HEAD_THEN_ALL_THEN_AVERAGED = {
    "max_steps": 4,
    "class_weights": True,
    "stages": [
        {"epochs": 1, "learning_rate": 0.01, "train": "head", "each_photo_once": True},
        {"epochs": 1, "learning_rate": 0.001, "image_size": 32, "freeze_batchnorm": True},
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
        pytest.param("gemnet", 15, {"max_steps": 40}, marks=pytest.mark.slow),
        ("gemnet", 1, DENSE_THEN_ALL),
        ("efficientnet_lite0", 3, HEAD_THEN_ALL_THEN_AVERAGED),
    ],
)
def test_a_training_stopped_anywhere_and_resumed_ends_in_the_same_model(
    gems: Path,
    monkeypatch: pytest.MonkeyPatch,
    recipe: str,
    stop: int,
    changes: dict[str, Any],
) -> None:
    metadata = run(recipe, **changes)
    unbroken = files_of(recipe)
    assert stop < metadata.epochs
    save = TrainingState.save
    finished = []

    def stop_after(self: TrainingState, path: Path) -> None:
        save(self, path)
        finished.append(1)
        if len(finished) == stop:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingState, "save", stop_after)
    with pytest.raises(KeyboardInterrupt):
        run(recipe, **changes)
    assert run(recipe, **changes).epochs == metadata.epochs == len(finished)
    assert files_of(recipe) == unbroken


def test_a_training_with_a_damaged_checkpoint_starts_again(
    gems: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(max_steps=20)
    unbroken, save = files_of(), TrainingState.save

    def stop(self: TrainingState, path: Path) -> None:
        save(self, path)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(TrainingState, "save", stop)
        run(max_steps=20)
    (path,) = Path(".cache").rglob("checkpoint.pt")
    path.write_bytes(path.read_bytes()[:-500])
    run(max_steps=20)
    assert f"The checkpoint '{path}' is damaged; the training starts again." in capsys.readouterr().err
    assert files_of() == unbroken


@pytest.mark.parametrize("content", [b"", b"PK", b"not a checkpoint", {}, [1], {"history": [1]}])
def test_a_damaged_checkpoint_is_named_and_ignored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: object
) -> None:
    folder = CheckpointFolder(tmp_path)
    assert folder.load() is None and not capsys.readouterr().err
    TrainingState(epoch=3).save(folder.checkpoint)
    whole = folder.checkpoint.read_bytes()
    assert folder.load() == TrainingState(epoch=3)
    if isinstance(content, bytes):
        folder.checkpoint.write_bytes(content)
    else:
        torch.save(content, folder.checkpoint)
    assert folder.load() is None and str(folder.checkpoint) in capsys.readouterr().err
    for length in range(0, len(whole) - 1, 97):
        folder.checkpoint.write_bytes(whole[:length])
        assert folder.load() is None and "is damaged" in capsys.readouterr().err


def test_a_training_killed_within_epochs_ends_in_the_same_bytes_and_ctrl_c_is_130(
    gems: Path,
) -> None:
    stages = [{"epochs": 3, "learning_rate": 1e-3}, {"epochs": 3, "learning_rate": 1e-4}]
    write_params(gemnet={"image_size": 64, "max_steps": 54, "stages": stages})
    training = "gemtrain", "train", "--dataset", "gems", "--recipe", "gemnet"
    called(*training, cwd=gems)
    unbroken = files_of()
    for path in Path("models/gems/gemnet").iterdir():
        path.unlink()
    for number, code, stage in ((signal.SIGINT, 130, 1), (signal.SIGKILL, -9, 2)):
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
    called(*training, cwd=gems)
    assert files_of() == unbroken


def stamps() -> list[int]:
    return [path.stat().st_mtime_ns for path in Path(".cache").rglob("checkpoint.pt")]


def await_until(ready: Callable[[], bool], process: Any) -> None:
    while not ready():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
