"""What each ingredient of our recipe is worth: removed, added or changed; on one fold, small and short.

    python -m benchmarks.ablation [--seeds 3] [--steps 300] [--rows WORDS ...] [--one-by-one]

Everything as in benchmarks.folds, but on gems68's first fold alone, at 128 pixels and with so many steps, at
most five minutes a run. Mean ± deviation over seeds, of top-1 and of the log loss after calibration, which is
the finer measure: one photo more or less is 0.25 % of top-1. Run again, it continues; runs that are finished
are not repeated.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

from benchmarks._finished import Finished, Training, finished_all
from benchmarks._gems68 import WORK, dataset_name, gems68, missing
from benchmarks.folds import OURS, split_model
from gemkit.errors import run_command
from gemkit.page import markdown_table
from gemkit.tables import write_text
from gemtrain.calibration import log_loss
from gemtrain.recipe import Recipe, Stage, load_recipe
from gemtrain.scores import ranks

_FOLD = 0
_PIXELS = 128
_OURS, _CROPS = split_model(OURS)
HEAD = ("changed", "top-1", "difference", "top-3", "top-5", "log loss", "minutes, at most")

#: A row: what becomes of the recipe, and the crops.
Change = Callable[[Recipe], Recipe]


def _set(**values: object) -> Change:
    return lambda recipe: replace(recipe, **values)  # type: ignore[arg-type]


def _each_stage(change: Callable[[Stage], Stage]) -> Change:
    """Of those that train the whole network."""
    return lambda recipe: replace(
        recipe, stages=tuple(change(stage) if stage.train == "all" else stage for stage in recipe.stages)
    )


def _stages(**values: object) -> Change:
    return _each_stage(lambda stage: replace(stage, **values))  # type: ignore[arg-type]


def _augmentation(**values: float) -> Change:
    return lambda recipe: replace(recipe, augmentation=replace(recipe.augmentation, **values))  # type: ignore[arg-type]


def _rates(factor: float) -> Change:
    return _each_stage(
        lambda stage: replace(
            stage,
            learning_rate=factor * stage.learning_rate,
            head_learning_rate=stage.head_learning_rate and factor * stage.head_learning_rate,
        )
    )


def _without_head(recipe: Recipe) -> Recipe:
    return replace(recipe, stages=tuple(stage for stage in recipe.stages if stage.train == "all"))


ROWS: dict[str, tuple[Change, str]] = {
    "ours": (_set(), _CROPS),
    "without the expert on colours": (_set(colour_bins=None), _CROPS),
    "12 colour bins": (_set(colour_bins=12), _CROPS),
    "without the head on frozen features": (_without_head, _CROPS),
    "one learning rate": (_stages(head_learning_rate=None), _CROPS),
    "constant learning rates": (_stages(warmup=0.0, decay="constant"), _CROPS),
    "learning rates halved": (_rates(0.5), _CROPS),
    "learning rates doubled": (_rates(2), _CROPS),
    "without weight averaging": (_stages(ema_decay=None), _CROPS),
    "statistics of the photos": (_stages(keep_statistics=False), _CROPS),
    "without label smoothing": (_set(label_smoothing=0.0), _CROPS),
    "without weight decay": (_set(weight_decay=0.0), _CROPS),
    "class weights": (_set(class_weights=True), _CROPS),
    "all stages at full size": (_stages(image_size=None), _CROPS),
    "mirrored and turned only": (_augmentation(zoom=0.0, shift=0.0, crop=0.0), _CROPS),
    "cropped too": (_augmentation(crop=0.3), _CROPS),
    "one view at the end": (_set(views=1), _CROPS),
    "8 views at the end": (_set(views=8), _CROPS),
    "background kept": (_set(), "kept"),
    "bare Canny crops": (_set(), "canny"),
    "efficientnet_lite1": (_set(network="efficientnet_lite1"), _CROPS),
    "efficientnet_lite2": (_set(network="efficientnet_lite2"), _CROPS),
}  # fmt: skip


def small(recipe: Recipe, steps: int) -> Recipe:
    """The recipe at 128 pixels, its stages' own sizes in proportion, with so many steps."""

    def side(size: int | None) -> int | None:
        return size and 32 * round(size * _PIXELS / recipe.image_size / 32)

    stages = tuple(replace(stage, image_size=side(stage.image_size)) for stage in recipe.stages)
    return replace(recipe, image_size=_PIXELS, max_steps=steps, stages=stages)


def row(name: str, runs: list[Finished], base: list[Finished]) -> list[str]:
    """A row under HEAD; its difference is to the base's runs of the same seeds."""
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


def _top(run: Finished, k: int) -> float:
    return float((ranks(run.predictions.labels, run.predictions.probabilities) < k).mean())


def _spread(values: list[float], sign: str = "") -> str:
    return f"{mean(values):{sign}.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")


def main() -> None:
    """Train what is not done, one seed of all rows after the other; print the table and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="WORDS")
    parser.add_argument("--one-by-one", action="store_true", help="each with all cores")
    options = parser.parse_args()
    if why := missing():
        print(why)
        return
    rows = {name: ROWS[name] for name in dict.fromkeys(["ours", *options.rows])}
    base, runs = small(load_recipe(_OURS), options.steps), {name: list[Finished]() for name in rows}
    jobs = [(seed, name) for seed in range(options.seeds) for name in rows]
    trainings = [
        Training(
            dataset_name(rows[name][1], _FOLD),
            f"ablation-{name.replace(' ', '_')}-{seed}",
            rows[name][0](base),
            seed,
        )
        for seed, name in jobs
    ]
    with gems68(way for _, way in rows.values()):
        for (seed, name), done in zip(jobs, finished_all(trainings, options.one_by_one), strict=True):
            runs[name].append(done)
            print(f"seed {seed}, {name}: top-1 {_top(done, 1):.3f}, {done.minutes:.1f} minutes", flush=True)
            lines = [row(other, found, runs["ours"]) for other, found in runs.items() if found]
            write_text(Path("ablation.md"), markdown_table(HEAD, lines) + "\n")
    print(f"\n{(WORK / 'ablation.md').read_text()}")


if __name__ == "__main__":
    run_command(main)
