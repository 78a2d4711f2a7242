"""The state of a training, saved in `.cache/` after every epoch so that a killed training can be resumed."""

import hashlib
import json
import shutil
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from gemkit.project import Project
from gemkit.tables import replaced
from gemtrain.model_metadata import EpochResult
from gemtrain.models.classifier import Classifier
from gemtrain.recipe import Recipe
from gemtrain.training.schedule import selection_score

#: Version of the training method: raising it invalidates old checkpoints.
_VERSION = 3


@dataclass
class TrainingState:
    """Everything that a training changes, as it is after an epoch.

    `stage` counts the finished stages, `epoch` the finished epochs of the current stage, whose `optimiser`
    and moving `average` are None between stages. `best` are the weights of the selected epoch so far,
    `best_epoch` (from 1).
    """

    model: dict[str, Tensor] = field(default_factory=dict)
    average: dict[str, Any] | None = None
    optimiser: dict[str, Any] | None = None
    stage: int = 0
    epoch: int = 0
    history: list[EpochResult] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0

    @classmethod
    def load(cls, path: Path) -> "TrainingState":
        """The state in a checkpoint, on the CPU."""
        saved = torch.load(path, map_location="cpu", weights_only=True)
        history = [EpochResult(**row) for row in saved.pop("history")]
        return cls(**saved, history=history)

    def save(self, path: Path) -> None:
        """Write a checkpoint; a kill leaves the one before."""
        content = vars(self) | {"history": [asdict(row) for row in self.history]}
        with replaced(path) as temporary:
            torch.save(content, temporary)

    def add_epoch(self, row: EpochResult, weights: dict[str, Tensor], monitor: str) -> None:
        """Add an epoch to the history, and its weights if they are the best so far."""
        self.history.append(row)
        if not self.best or selection_score(monitor, row) > selection_score(
            monitor, self.history[self.best_epoch - 1]
        ):
            self.best, self.best_epoch = weights, len(self.history)

    def end_epoch(
        self, model: Classifier, optimiser: torch.optim.Optimizer, average: AveragedModel | None
    ) -> None:
        """Take the state after an epoch within a stage."""
        self.epoch += 1
        self.model, self.optimiser = model.state_dict(), optimiser.state_dict()
        self.average = None if average is None else average.state_dict()

    def end_stage(self, model: Classifier) -> None:
        """Take the state after the last epoch of a stage."""
        self.stage, self.epoch = self.stage + 1, 0
        self.model, self.optimiser, self.average = model.state_dict(), None, None


@dataclass(frozen=True)
class CheckpointFolder:
    """The files of an unfinished training."""

    path: Path

    @classmethod
    def of(
        cls,
        project: Project,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        fingerprints: Iterable[str],
        weights: Path | None,
    ) -> "CheckpointFolder":
        """The folder of a training on the splits with these fingerprints, from an initial weights file."""
        identity = [
            _VERSION,
            recipe.model_dump(),
            seed,
            device.type,
            list(fingerprints),
            hashlib.sha256(weights.read_bytes()).hexdigest() if weights else None,
        ]
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        return cls(project.cache / "train" / key)

    @property
    def checkpoint(self) -> Path:
        """The state after the last finished epoch."""
        return self.path / "checkpoint.pt"

    def load(self) -> TrainingState | None:
        """The state after the last finished epoch; None if there is none.

        A damaged checkpoint is named on standard error and ignored: training anew costs time, but ends in the
        same model.
        """
        if not self.checkpoint.exists():
            return None
        try:
            return TrainingState.load(self.checkpoint)
        except Exception:  # PyTorch raises many kinds of errors for a damaged file
            print(
                f"The checkpoint '{self.checkpoint}' is damaged; the training starts again.", file=sys.stderr
            )
            return None

    def stage_end(self, number: int) -> Path:
        """The weights at the end of a stage, counted from 1."""
        return self.path / f"stage-{number}.safetensors"

    def delete(self) -> None:
        """Delete the checkpoint first, then the rest, which is useless without it."""
        self.checkpoint.unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)
