"""The state of a training, saved in `.cache/` after every epoch so that a killed training can be resumed."""

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gemkit.memo import CACHE
from gemkit.tables import replaced
from gemtrain.data.dataset import Dataset
from gemtrain.model_metadata import EpochResult
from gemtrain.model_store import copy_state, write_state
from gemtrain.models.classifier import Classifier
from gemtrain.recipe import Recipe, Stage
from gemtrain.training.schedule import PlannedStage, is_over, selection_score

#: Version of the training method: raising it invalidates old checkpoints.
_VERSION = 3


class TrainingState:
    """The progress of a training: model, history and best state, saved after every epoch.

    `average` is the moving average of the model's weights over the stage, if the stage has an `ema_decay`.
    """

    def __init__(
        self,
        model: Classifier,
        dataset: Dataset,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        weights: Path | None,
    ):
        self.model, self.dataset, self.recipe, self.seed, self.device = (
            model.to(device),
            dataset,
            recipe,
            seed,
            device,
        )
        self.stage, self.epoch = 0, 0  # finished stages, and finished epochs of the current one
        self.history: list[EpochResult] = []
        self.best: dict[str, Tensor] = {}
        self.best_epoch = 0
        self.average: AveragedModel | None = None
        self._interrupted: dict[str, Any] | None = None  # a checkpoint from within a stage
        identity = [
            _VERSION,
            recipe.model_dump(),
            seed,
            device.type,
            [split.fingerprint for split in dataset.splits.values()],
            hashlib.sha256(weights.read_bytes()).hexdigest() if weights else None,
        ]
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        self.folder = CACHE / "train" / key
        self._path = self.folder / "checkpoint.pt"
        if self._path.exists():
            self._resume()

    def stage_path(self, number: int) -> Path:
        """Where the state at the end of a stage is saved until the training ends."""
        return self.folder / f"stage-{number}.safetensors"

    def start_stage(self, stage: Stage, optimiser: torch.optim.Optimizer) -> None:
        """Start a stage, or resume it where it was interrupted."""
        self.average = None
        if stage.ema_decay is not None:
            update = get_ema_multi_avg_fn(stage.ema_decay)
            self.average = AveragedModel(self.model, multi_avg_fn=update, use_buffers=True)
        saved, self._interrupted = self._interrupted, None
        if saved is not None:
            optimiser.load_state_dict(saved["optimiser"])
            if self.average is not None:
                self.average.load_state_dict(saved["average"])

    @property
    def evaluated_model(self) -> Classifier:
        """The model that is validated and saved: the moving average if there is one, else the model."""
        return self.model if self.average is None else cast(Classifier, self.average.module)

    def add_epoch(self, row: EpochResult) -> dict[str, Tensor]:
        """Append an epoch to the history, remember its state if it is the best so far, and return it."""
        self.history.append(row)
        state, monitor = copy_state(self.evaluated_model), self.recipe.monitor
        if not self.best or selection_score(monitor, row) > selection_score(
            monitor, self.history[self.best_epoch - 1]
        ):
            self.best, self.best_epoch = state, len(self.history)
        return state

    def end_epoch(self, row: EpochResult, optimiser: torch.optim.Optimizer, planned: PlannedStage) -> bool:
        """Add an epoch and save a checkpoint; returns whether the stage is over."""
        state = self.add_epoch(row)
        over = is_over(planned, self.recipe, self.history)
        if over:
            write_state(self.stage_path(planned.number), state)
            self.model.load_state_dict(state)
            self.stage, self.epoch = self.stage + 1, 0
        else:
            self.epoch += 1
        with replaced(self._path) as temporary:
            torch.save(
                {
                    "model": self.model.state_dict(),
                    "average": None if over or self.average is None else self.average.state_dict(),
                    "optimiser": None if over else optimiser.state_dict(),
                    "stage": self.stage,
                    "epoch": self.epoch,
                    "history": [asdict(row) for row in self.history],
                    "best": self.best,
                    "best_epoch": self.best_epoch,
                },
                temporary,
            )
        return over

    def delete(self) -> None:
        """Delete the checkpoint first, then the rest, which is useless without it."""
        self._path.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _resume(self) -> None:
        saved = torch.load(self._path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.stage, self.epoch = saved["stage"], saved["epoch"]
        self.history = [EpochResult(**row) for row in saved["history"]]
        self.best, self.best_epoch = saved["best"], saved["best_epoch"]
        self._interrupted = saved if self.epoch else None
