"""The contribution of each ingredient of our recipe: removed, added or changed; on one fold, small and short.

    python -m benchmarks.training.ablation [--pixels 128] [--steps 200] [--seeds 3] [--rows WORDS ...]
                                           [--one-by-one]

Like benchmarks.training.folds, but on gems68's first fold only, at 128 pixels and for `--steps` steps, at
most five minutes a run. What helps here may not help in a full training (`--pixels 224 --steps 9999`). Mean ±
deviation over seeds, of top-1 and of the log loss after calibration, which is the finer measure: one image is
0.25 % of top-1. An interrupted run continues; finished trainings are not repeated.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev

from benchmarks.training._cached_training import Training, TrainingResult, train_all
from benchmarks.training._gems68 import WORK, dataset_name, gems68, missing
from benchmarks.training.folds import OURS, split_model
from gemkit.errors import run_command
from gemkit.html import markdown_table
from gemkit.project import Project
from gemkit.stats.calibration import log_loss
from gemkit.tables import write_text
from gemtrain.evaluation.metrics import ranks
from gemtrain.recipe import Recipe, Stage, load_recipe

_FOLD = 0
_CACHE = WORK / "ablation"
_OURS, _CROPS = split_model(OURS)
HEAD = ("changed", "top-1", "difference", "top-3", "top-5", "log loss", "minutes, at most")

#: A change to the recipe.
Change = Callable[[Recipe], Recipe]


def _set(**values: object) -> Change:
    return lambda recipe: recipe.replace(**values)


def _stages(**values: object) -> Change:
    """A change to the stages that train the whole network."""
    return lambda recipe: recipe.replace(
        stages=tuple(stage.replace(**values) if stage.train == "all" else stage for stage in recipe.stages),
    )


def _augmentation(**values: float) -> Change:
    return lambda recipe: recipe.replace(augmentation=recipe.augmentation.replace(**values))


def _small_first(recipe: Recipe) -> Recipe:
    """Two thirds of the epochs on images of three quarters the side, then the rest at halved rates."""
    *before, last = recipe.stages
    epochs = 2 * last.epochs // 3
    small = last.replace(image_size=3 * recipe.image_size // 4, epochs=epochs)
    head_rate = last.head_learning_rate and last.head_learning_rate / 2
    large = last.replace(
        epochs=last.epochs - epochs, learning_rate=last.learning_rate / 2, head_learning_rate=head_rate
    )
    return recipe.replace(stages=(*before, small, large))


def _from_head(recipe: Recipe) -> Recipe:
    """Add a first stage that trains only the head, on frozen features."""
    stage = Stage(epochs=30, learning_rate=3e-3, train="head", decay="cosine", each_photo_once=True)
    return recipe.replace(stages=(stage, *recipe.stages))


ROWS: dict[str, tuple[Change, str]] = {
    "ours": (_set(), _CROPS),
    "without the colour expert": (_set(colour_bins=None), _CROPS),
    "from a head on frozen features": (_from_head, _CROPS),
    "one learning rate": (_stages(head_learning_rate=None), _CROPS),
    "constant learning rates": (_stages(warmup=0.0, decay="constant"), _CROPS),
    "weights averaged": (_stages(ema_decay=0.99), _CROPS),
    "labels smoothed": (_set(label_smoothing=0.1), _CROPS),
    "without weight decay": (_set(weight_decay=0.0), _CROPS),
    "small images first": (_small_first, _CROPS),
    "zoomed and shifted": (_augmentation(zoom=0.15, shift=0.05), _CROPS),
    "one view at the end": (_set(tta_views=1), _CROPS),
    "black background": (_set(), "black"),
    "bare Canny crops": (_set(), "canny"),
    "efficientnet_lite1": (_set(network="efficientnet_lite1"), _CROPS),
}  # fmt: skip


def row(name: str, runs: list[TrainingResult], base: list[TrainingResult]) -> list[str]:
    """A row under HEAD; its difference is to the base's runs with the same seeds."""
    scores = {k: [_top(run, k) for run in runs] for k in (1, 3, 5)}
    gained = [one - _top(other, 1) for one, other in zip(scores[1], base, strict=False)]
    losses = [
        log_loss(run.predictions.labels, run.confidence.calibrated(run.predictions.probabilities))
        for run in runs
    ]
    return [
        name, _spread(scores[1]), _spread(gained, "+") if runs is not base else "",
        _spread(scores[3]), _spread(scores[5]), _spread(losses), f"{max(run.minutes for run in runs):.1f}",
    ]  # fmt: skip


def _top(run: TrainingResult, k: int) -> float:
    return float((ranks(run.predictions.labels, run.predictions.probabilities) < k).mean())


def _spread(values: list[float], sign: str = "") -> str:
    return f"{mean(values):{sign}.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")


def main() -> None:
    """Train what is unfinished, all rows of one seed after the other; print and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pixels", type=int, default=128)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="WORDS")
    parser.add_argument("--one-by-one", action="store_true", help="one training at a time, on all cores")
    options = parser.parse_args()
    if reason := missing():
        print(reason)
        return
    rows = {name: ROWS[name] for name in dict.fromkeys(["ours", *options.rows])}
    base = load_recipe(_OURS).replace(image_size=options.pixels, max_steps=options.steps)
    runs = {name: list[TrainingResult]() for name in rows}
    jobs = [(seed, name) for seed in range(options.seeds) for name in rows]
    trainings = [
        Training(
            Project(WORK),
            dataset_name(rows[name][1], _FOLD),
            f"{options.pixels}-{options.steps}-{name.replace(' ', '_')}-{seed}",
            rows[name][0](base),
            seed,
        )
        for seed, name in jobs
    ]
    table = Path(f"ablation-{options.pixels}-{options.steps}.md")
    with gems68(crops for _, crops in rows.values()):
        for (seed, name), done in zip(jobs, train_all(trainings, _CACHE, options.one_by_one), strict=True):
            runs[name].append(done)
            print(f"seed {seed}, {name}: top-1 {_top(done, 1):.3f}, {done.minutes:.1f} minutes", flush=True)
            lines = [row(other, found, runs["ours"]) for other, found in runs.items() if found]
            write_text(table, markdown_table(HEAD, lines) + "\n")
    print(f"\n{(WORK / table).read_text()}")


if __name__ == "__main__":
    run_command(main)
