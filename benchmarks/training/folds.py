"""Cross-validated accuracy of recipes on gems68: no model has seen the images it predicts, nor copies.

    python -m benchmarks.training.folds [--models RECIPE[:CROPS] ...] [--folds 5] [--one-by-one]
                                        [--table-only]

Grouped five-fold cross-validation on all distinct images; CROPS are `black` (the pipeline's crops, the
default), `kept` (the same with their background) or `canny` (the published bare Canny). Some groups of every
class among a fold's training images are set aside to fit the temperature and the confidence threshold. Scores
are those of the test images of all folds together; 95 % intervals and differences by the paired bootstrap
over groups. The ingredients of our recipe were chosen on the first three folds, so top-1 and differences on
the last two are listed separately. The calibration error has 15 bins of equal mass.

Without a GPU one training per core runs at a time, which is faster overall than one after the other on all
cores, but slower for a single training: `--one-by-one` times that.

The models' outputs for the images are kept in `benchmarks/folds/`, everything else in `.cache/folds/`. An
interrupted run continues; a finished fold is repeated only if its recipe or its images have changed.
`--table-only` prints the finished folds, even without the images.
"""

import argparse
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from benchmarks._shared import ROOT
from benchmarks.training._cached_training import Training, TrainingResult, read_cached, train_all
from benchmarks.training._gems68 import CROPS_OF, FOLDS, WORK, dataset_name, gems68, missing
from gemkit.errors import UserError, run_command
from gemkit.html import markdown_table
from gemkit.project import Project
from gemkit.stats.calibration import calibration_error
from gemkit.stats.confidence_intervals import GroupBootstrap
from gemtrain.evaluation.metrics import TOP, ranks
from gemtrain.evaluation.predictions import Predictions
from gemtrain.recipe import load_recipe
from gemtrain.report.compare import compare

PLAIN = "plain-efficientnet_lite0:canny"
OURS = "gemscrape-efficientnet_lite0:kept"
MODELS = (PLAIN, OURS)
#: The ingredients of our recipe were chosen on this many of the first folds.
_CHOSEN_ON = 3
_CACHE = ROOT / "benchmarks/folds"
_LAST = f"folds {_CHOSEN_ON} to {FOLDS - 1}"
HEAD = (
    "recipe", "crops", "folds", "images / groups", *(f"top-{k} [95 %]" for k in TOP), f"top-1, {_LAST}",
    "ECE", "accepted", "accuracy of these", "minutes a fold",
)  # fmt: skip
DIFFERENCES = ("against", *(f"top-{k} [95 %]" for k in TOP), "p of top-1")


#: The finished folds of a model, by number.
Folds = dict[int, TrainingResult]


def pooled(folds: Iterable[TrainingResult]) -> Predictions:
    """The test images of all folds, each with the calibrated probabilities of its own fold's model."""
    folds = list(folds)
    parts = [fold.predictions for fold in folds]
    return Predictions(
        sha256s=[sha256 for part in parts for sha256 in part.sha256s],
        groups=[group for part in parts for group in part.groups],
        labels=np.concatenate([part.labels for part in parts]),
        probabilities=np.concatenate(
            [fold.confidence.calibrated(fold.predictions.probabilities) for fold in folds]
        ),
        varieties=parts[0].varieties,
        species=parts[0].species,
    )


def row(model: str, folds: Folds) -> list[str]:
    """The row of a model under HEAD."""
    together = pooled(folds.values())
    rank, bootstrap = ranks(together.labels, together.probabilities), GroupBootstrap(together.groups)
    accepted = np.concatenate(
        [
            fold.confidence.is_accepted(fold.confidence.calibrated(fold.predictions.probabilities))
            for fold in folds.values()
        ]
    )
    scores = []
    for k in TOP:
        low, high = bootstrap.mean(rank < k)
        scores.append(f"{(rank < k).mean():.3f} [{low:.3f}, {high:.3f}]")
    last = [top1(fold) for number, fold in folds.items() if number >= _CHOSEN_ON]
    minutes = [fold.minutes for fold in folds.values()]
    recipe, crops = split_model(model)
    return [
        recipe, crops, str(len(folds)), f"{len(rank)} / {len(set(together.groups))}", *scores,
        f"{np.concatenate(last).mean():.3f}" if last else "-",
        f"{calibration_error(together.labels, together.probabilities):.3f}",
        f"{accepted.mean():.0%}", f"{(rank[accepted] < 1).mean():.3f}" if accepted.any() else "-",
        f"{np.mean(minutes):.1f}, at most {max(minutes):.1f}",
    ]  # fmt: skip


def top1(fold: TrainingResult) -> np.ndarray:
    """Which images the model classifies correctly, [N] bool."""
    return ranks(fold.predictions.labels, fold.predictions.probabilities) < 1


def differences(model: str, first: str, folds: dict[str, Folds]) -> list[list[str]]:
    """The lead of a model over the first, under DIFFERENCES: on the folds of both, and on the last ones."""
    both = [number for number in folds[model] if number in folds[first]]
    rows = []
    for where, numbers in (("", both), (f", {_LAST}", [number for number in both if number >= _CHOSEN_ON])):
        if not numbers:
            break
        found = compare(*(pooled(folds[name][number] for number in numbers) for name in (first, model)))
        assert found is not None
        cells = []
        for score in found.scores:
            low, high = score.difference.interval
            cells.append(f"{score.difference.value:+.3f} [{low:+.3f}, {high:+.3f}]")
        rows.append([f"{model} − {first}{where}", *cells, f"{found.scores[0].p:.3f}"])
    return rows


def page(folds: dict[str, Folds]) -> str:
    """The scores of the models with a finished fold, and the lead of each over the first."""
    first, *others = folds
    text = markdown_table(HEAD, [row(model, done) for model, done in folds.items()])
    if others:
        text += "\n\n" + markdown_table(
            DIFFERENCES, [line for model in others for line in differences(model, first, folds)]
        )
    return text + "\n"


def split_model(model: str) -> tuple[str, str]:
    """Recipe and crops. Raises UserError for unknown crops."""
    recipe, _, crops = model.partition(":")
    if crops and crops not in CROPS_OF:
        raise UserError(f"'{model}' has unknown crops '{crops}'; use {', '.join(CROPS_OF)}.")
    return recipe, crops or "black"


class Job(NamedTuple):
    """A model on a fold."""

    fold: int
    model: str

    @property
    def training(self) -> Training:
        """The training of the job."""
        recipe, crops = split_model(self.model)
        return Training(Project(WORK), dataset_name(crops, self.fold), recipe, load_recipe(recipe), 0)


def all_jobs(models: Iterable[str] = MODELS, folds: int = FOLDS) -> list[Job]:
    """Fold by fold, each model once. Raises UserError for an unknown model."""
    named = {split_model(model): model for model in models}  # "x" and "x:black" are the same
    return [Job(fold, model) for fold in range(folds) for model in named.values()]


def cached_folds(jobs: Iterable[Job]) -> dict[str, Folds]:
    """The finished jobs by model and fold."""
    folds: dict[str, Folds] = {}
    for job in jobs:
        if done := read_cached(job.training, _CACHE):
            folds.setdefault(job.model, {})[job.fold] = done
    return folds


def main() -> None:
    """Train what is unfinished, fold by fold; print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="MODEL")
    parser.add_argument("--folds", type=int, default=FOLDS, choices=range(1, FOLDS + 1))
    parser.add_argument("--one-by-one", action="store_true", help="one training at a time, on all cores")
    parser.add_argument("--table-only", action="store_true", help="print the finished folds without training")
    options = parser.parse_args()
    jobs = all_jobs(options.models, options.folds)
    if not options.table_only:
        if reason := missing():
            print(f"{reason} --table-only prints the finished folds.")
            return
        trainings = [job.training for job in jobs]
        with gems68(split_model(model)[1] for _, model in jobs):
            for job, done in zip(jobs, train_all(trainings, _CACHE, options.one_by_one), strict=True):
                share = top1(done).mean()
                print(
                    f"fold {job.fold}, {job.model}: top-1 {share:.3f}, {done.minutes:.1f} minutes", flush=True
                )
    folds = cached_folds(jobs)
    print(f"\n{page(folds)}" if folds else "No fold is finished.")


if __name__ == "__main__":
    run_command(main)
