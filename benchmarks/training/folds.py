"""How good recipes are on gems68, each photo judged by a model that saw neither it nor a copy of it.

    python -m benchmarks.training.folds [--models RECIPE[:CROPS] ...] [--folds 5] [--one-by-one]
                                        [--table-only]

Grouped five-fold cross-validation on all distinct photos; CROPS are `black` (the pipeline's, when left out),
`kept` (the same with its background) or `canny` (the published bare Canny). Of a fold's training photos some
groups of every class are set aside: by them the temperature and the confidence to be sure at are fitted.
Scores are of all folds' test photos together; 95 % intervals and differences by the paired bootstrap over
groups. The ingredients of our recipe were chosen on the first three folds: top-1 and differences on the last
two alone are beside the others. The calibration error has 15 bins of equal mass.

Without a GPU one training a core runs at a time, which is faster than one after the other on all of them, but
for the single training: `--one-by-one` times that.

What the models say of the photos is kept in `benchmarks/folds/`, all else in `.cache/folds/`. Run again, it
continues; a finished fold is repeated only when its recipe or its photos changed. `--table-only` prints what
there is, also where the photos are not.
"""

import argparse
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from benchmarks._shared import ROOT
from benchmarks.training._cached_training import Finished, Training, finished_all, read_finished
from benchmarks.training._gems68 import CROPS_OF, FOLDS, dataset_name, gems68, missing
from gemkit.errors import UserError, run_command
from gemkit.html import markdown_table
from gemtrain.evaluation.compare import compare
from gemtrain.evaluation.metrics import TOP, ranks
from gemtrain.evaluation.predictions import Predictions
from gemtrain.recipe import load_recipe
from gemtrain.scoring.calibration import calibration_error
from gemtrain.scoring.confidence_intervals import GroupBootstrap

PLAIN = "plain-efficientnet_lite0:canny"
OURS = "gemscrape-efficientnet_lite0:kept"
MODELS = (PLAIN, OURS)
#: On so many of the first folds the ingredients of our recipe were chosen.
_CHOSEN_ON = 3
_KEPT = ROOT / "benchmarks/folds"
_LAST = f"folds {_CHOSEN_ON} to {FOLDS - 1}"
HEAD = (
    "recipe", "crops", "folds", "photos / groups", *(f"top-{k} [95 %]" for k in TOP), f"top-1, {_LAST}",
    "ECE", "sure", "right of these", "minutes a fold",
)  # fmt: skip
DIFFERENCES = ("against", *(f"top-{k} [95 %]" for k in TOP), "p of top-1")


#: What is finished of a model, by the fold's number.
Folds = dict[int, Finished]


def pooled(folds: Iterable[Finished]) -> Predictions:
    """The test photos of all folds, each with the calibrated probabilities of its own fold."""
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
    """A model under HEAD."""
    together = pooled(folds.values())
    place, bootstrap = ranks(together.labels, together.probabilities), GroupBootstrap(together.groups)
    sure = np.concatenate(
        [
            fold.confidence.is_sure(fold.confidence.calibrated(fold.predictions.probabilities))
            for fold in folds.values()
        ]
    )
    scores = []
    for k in TOP:
        low, high = bootstrap.mean(place < k)
        scores.append(f"{(place < k).mean():.3f} [{low:.3f}, {high:.3f}]")
    last = [top1(fold) for number, fold in folds.items() if number >= _CHOSEN_ON]
    minutes = [fold.minutes for fold in folds.values()]
    recipe, way = split_model(model)
    return [
        recipe, way, str(len(folds)), f"{len(place)} / {len(set(together.groups))}", *scores,
        f"{np.concatenate(last).mean():.3f}" if last else "-",
        f"{calibration_error(together.labels, together.probabilities):.3f}",
        f"{sure.mean():.0%}", f"{(place[sure] < 1).mean():.3f}" if sure.any() else "-",
        f"{np.mean(minutes):.1f}, at most {max(minutes):.1f}",
    ]  # fmt: skip


def top1(fold: Finished) -> np.ndarray:
    """Of which photos the model is right, [N] bool."""
    return ranks(fold.predictions.labels, fold.predictions.probabilities) < 1


def differences(model: str, first: str, folds: dict[str, Folds]) -> list[list[str]]:
    """What a model has more than the first, under DIFFERENCES: on the folds both have, and on the last."""
    both = [number for number in folds[model] if number in folds[first]]
    rows = []
    for where, numbers in (("", both), (f", {_LAST}", [number for number in both if number >= _CHOSEN_ON])):
        if not numbers:
            break
        found = compare(*(pooled(folds[name][number] for number in numbers) for name in (first, model)))
        assert found is not None
        cells = []
        for score in found.scores:
            low, high = score.difference_interval
            cells.append(f"{score.difference:+.3f} [{low:+.3f}, {high:+.3f}]")
        rows.append([f"{model} − {first}{where}", *cells, f"{found.scores[0].p:.3f}"])
    return rows


def page(folds: dict[str, Folds]) -> str:
    """The scores of the models that have a fold, and what each has more than the first."""
    first, *others = folds
    text = markdown_table(HEAD, [row(model, done) for model, done in folds.items()])
    if others:
        text += "\n\n" + markdown_table(
            DIFFERENCES, [line for model in others for line in differences(model, first, folds)]
        )
    return text + "\n"


def split_model(model: str) -> tuple[str, str]:
    """Recipe and crops. Raises UserError for crops that there are not."""
    recipe, _, way = model.partition(":")
    if way and way not in CROPS_OF:
        raise UserError(f"There are no crops '{way}' of '{model}'; there are {', '.join(CROPS_OF)}.")
    return recipe, way or "black"


class Job(NamedTuple):
    """A model on a fold."""

    fold: int
    model: str

    @property
    def training(self) -> Training:
        """What has to be trained for it."""
        recipe, way = split_model(self.model)
        return Training(dataset_name(way, self.fold), recipe, load_recipe(recipe), 0)


def all_jobs(models: Iterable[str] = MODELS, folds: int = FOLDS) -> list[Job]:
    """Fold after fold, each model once. Raises UserError for what there is not."""
    named = {split_model(model): model for model in models}  # "x" and "x:black" are one
    return [Job(fold, model) for fold in range(folds) for model in named.values()]


def kept_folds(jobs: Iterable[Job]) -> dict[str, Folds]:
    """What is finished of them."""
    folds: dict[str, Folds] = {}
    for job in jobs:
        if done := read_finished(job.training, _KEPT):
            folds.setdefault(job.model, {})[job.fold] = done
    return folds


def main() -> None:
    """Train what is not done, fold after fold; print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="MODEL")
    parser.add_argument("--folds", type=int, default=FOLDS, choices=range(1, FOLDS + 1))
    parser.add_argument("--one-by-one", action="store_true", help="each with all cores")
    parser.add_argument("--table-only", action="store_true", help="of what is finished")
    options = parser.parse_args()
    jobs = all_jobs(options.models, options.folds)
    if not options.table_only:
        if why := missing():
            print(f"{why} --table-only prints what is finished.")
            return
        trainings = [job.training for job in jobs]
        with gems68(split_model(model)[1] for _, model in jobs):
            for job, done in zip(jobs, finished_all(trainings, _KEPT, options.one_by_one), strict=True):
                share = top1(done).mean()
                print(
                    f"fold {job.fold}, {job.model}: top-1 {share:.3f}, {done.minutes:.1f} minutes", flush=True
                )
    folds = kept_folds(jobs)
    print(f"\n{page(folds)}" if folds else "Nothing is finished.")


if __name__ == "__main__":
    run_command(main)
