"""A training that may be killed at any moment: what it needs to go on is in `.cache/` after every epoch."""

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
from gemtrain.model_store import copy_state, write_state
from gemtrain.models.classifier import Classifier
from gemtrain.recipe import Recipe, Stage
from gemtrain.training.schedule import PlannedStage, is_over, merit

#: Of the method: a change leaves old checkpoints unused.
_VERSION = 3


class Run:
    """A training and how far it is: model, history, best state; saved after every epoch.

    `average` is that of the model's weights over the stage, where the recipe has one.
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
        self.stage, self.epoch = 0, 0  # finished stages, and finished epochs of the one after them
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Tensor] = {}
        self.best_epoch = 0
        self.average: AveragedModel | None = None
        self._left: dict[str, Any] | None = None  # a checkpoint from the middle of a stage
        identity = [
            _VERSION,
            asdict(recipe),
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
        """Where the state at the end of a stage is kept until the run ends."""
        return self.folder / f"stage-{number}.safetensors"

    def begin(self, stage: Stage, optimiser: torch.optim.Optimizer) -> None:
        """Take up a stage, from where it was left if it was begun before."""
        self.average = None
        if stage.ema_decay is not None:
            update = get_ema_multi_avg_fn(stage.ema_decay)
            self.average = AveragedModel(self.model, multi_avg_fn=update, use_buffers=True)
        left, self._left = self._left, None
        if left is not None:
            optimiser.load_state_dict(left["optimiser"])
            if self.average is not None:
                self.average.load_state_dict(left["average"])

    @property
    def measured(self) -> Classifier:
        """The model whose scores count: the average, or the model itself."""
        return self.model if self.average is None else cast(Classifier, self.average.module)

    def finish(self, row: dict[str, Any]) -> dict[str, Tensor]:
        """Add a finished epoch to the history and keep its state if it is the best; the state."""
        self.history.append(row)
        state, keep = copy_state(self.measured), self.recipe.keep
        if not self.best or merit(keep, row) > merit(keep, self.history[self.best_epoch - 1]):
            self.best, self.best_epoch = state, len(self.history)
        return state

    def record(self, row: dict[str, Any], optimiser: torch.optim.Optimizer, planned: PlannedStage) -> bool:
        """Finish an epoch and save everything; whether its stage ends with it."""
        state = self.finish(row)
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
                    "history": self.history,
                    "best": self.best,
                    "best_epoch": self.best_epoch,
                },
                temporary,
            )
        return over

    def forget(self) -> None:
        """Delete what was kept for going on, first the checkpoint: without the rest it is of no use."""
        self._path.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _resume(self) -> None:
        saved = torch.load(self._path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.stage, self.epoch = saved["stage"], saved["epoch"]
        self.history, self.best, self.best_epoch = saved["history"], saved["best"], saved["best_epoch"]
        self._left = saved if self.epoch else None
