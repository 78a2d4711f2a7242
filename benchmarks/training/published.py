"""One table of all published recipes on the same data, each trained within the same stated budget.

    python -m benchmarks.training.published [--minutes 20] [--pixels P] [--data demo gems68]
                                            [--recipes NAME ...]

Trains and evaluates every published recipe, and ours for comparison, with `gemtrain train` and `evaluate`: on
the demo's d1k, which the pipeline made in this repository, and on gems68, made here by the pipeline's stages
from the images in data/external with params/gems68.yaml, split by group. The published schedules would take
days without a GPU, so each is cut to the steps that this machine takes in the given minutes, as measured
beforehand, at no more than the given pixels. Where pretrained weights are not available, training starts
without them, and the table says so.

Everything is in `.cache/published/`. An interrupted run continues; a result for a budget is recomputed only
if its recipe, dataset or weights have changed. `--table-only` prints the finished results.
"""

import argparse
import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from benchmarks.training._published_data import DATASETS, WORK, prepare, run, sizes_of
from benchmarks.training._scaled_schedule import measure_step_times, plan, smaller
from gemkit.errors import UserError, run_command
from gemkit.executor.base import worker_count
from gemkit.html import markdown_table
from gemkit.project import Project
from gemkit.tables import write_text
from gemtrain.models.loading import weights_file
from gemtrain.recipe import load_recipe, recipe_names

OURS = ("efficientnet_lite0", "gemnet")
PUBLISHED = tuple(name for name in recipe_names() if load_recipe(name).source)
HEAD = (
    "dataset", "recipe", "network", "weights", "pixels", "schedule done", "top-1 [95 %]", "top-3", "top-5",
    "macro F1", "forest", "images / groups", "version", "published",
)  # fmt: skip
#: Words in errors that are due to the disk, not to the recipe.
_DISK = ("Cannot write", "has room for")


class Job(NamedTuple):
    """A recipe on the dataset of a project, within a budget."""

    project: str
    recipe: str
    minutes: float
    pixels: int | None

    @property
    def path(self) -> Path:
        """The file of its result."""
        budget = f"{self.minutes:g}min-{self.pixels or 'own'}px"
        return WORK / "results" / budget / self.project / f"{self.recipe}.json"


def finished(job: Job) -> dict[str, Any] | None:
    """The result of a finished job."""
    result = _read(job.path)
    return result if result and ("metrics" in result or "error" in result) else None


def do(job: Job, folder: Path, version: str) -> dict[str, Any]:
    """Train and evaluate unless already done; returns the result."""
    weights, reason = available_weights(job.recipe)
    identity = {
        "recipe": load_recipe(job.recipe).model_dump(), "weights": weights, "version": version
    }  # fmt: skip
    identity = json.loads(json.dumps(identity))
    result = _read(job.path)
    if result is None or result.get("training") != identity:
        result = {"training": identity, "reason": reason, **planned(job, folder, weights)}
        write_result(job, result)
    if "metrics" not in result and "error" not in result:
        result |= trained(job, folder, result["changes"])
        write_result(job, result)
    return result


def planned(job: Job, folder: Path, weights: str) -> dict[str, Any]:
    """The recipe's changes for the budget; saved, so that an interrupted run continues with the same."""
    recipe, sizes = (
        smaller(load_recipe(job.recipe), job.pixels, weights),
        sizes_of(folder, DATASETS[job.project]),
    )
    times = measure_step_times(recipe, sizes.classes)
    return {"times": times._asdict(), **plan(recipe, sizes, times, job.minutes * 60)._asdict()}


def trained(job: Job, folder: Path, changes: dict[str, Any]) -> dict[str, Any]:
    """The metrics of a job, or the error message that ended its training.

    Raises UserError when the disk is full or locked.
    """
    dataset = DATASETS[job.project]
    params = {"train": {"seed": 0, "recipes": {job.recipe: changes}}, "evaluate": {}}
    write_text(folder / "published.yaml", yaml.safe_dump(params))
    start = time.monotonic()
    try:
        for command in ("train", "evaluate"):
            options = f"--dataset {dataset} --recipe {job.recipe} --params published.yaml"
            run(f"gemtrain {command} {options}", folder)
    except UserError as error:
        if any(words in str(error) for words in _DISK):
            raise
        return {"error": str(error)}
    metrics = json.loads((folder / "metrics" / dataset / f"{job.recipe}.json").read_text())
    shutil.rmtree(folder / "models" / dataset / job.recipe)  # half a gigabyte each, no longer needed
    return {"metrics": metrics, "seconds": round(time.monotonic() - start)}


def available_weights(recipe: str) -> tuple[str, str]:
    """A recipe's `weights`, or "none" and the reason if they are not available here."""
    published = load_recipe(recipe)
    try:
        weights_file(Project(), published.network, published.weights)
    except UserError as error:
        return "none", str(error)
    return published.weights, ""


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def write_result(job: Job, result: dict[str, Any]) -> None:
    """Save what is known about a job."""
    write_text(job.path, json.dumps(result, indent=2) + "\n")


def row(job: Job, result: dict[str, Any]) -> list[str]:
    """The row of a finished job under HEAD."""
    recipe, changes = load_recipe(job.recipe), result["changes"]
    weights = changes["weights"]
    if weights != recipe.weights:
        weights += f" (published: {recipe.weights})"
    start = [
        job.project, job.recipe, recipe.network, weights,
        f"{changes['image_size']} of {recipe.image_size}", result["schedule"],
    ]  # fmt: skip
    if "error" in result:
        return [*start, f"stopped: {result['error']}", *"-" * 6, recipe.published or "-"]
    metrics = result["metrics"]
    baselines, (low, high) = metrics["baselines"], metrics["intervals"]["top1"]
    return [
        *start,
        f"{metrics['top1']:.3f} [{low:.3f}, {high:.3f}]",
        *(f"{metrics[key]:.3f}" for key in ("top3", "top5", "macro_f1")),
        f"{baselines['forest']:.3f}" + (", BELOW" if baselines["below_forest"] else ""),
        f"{metrics['test_images']} / {metrics['test_groups']}",
        metrics["dataset"]["version"],
        recipe.published or "-",
    ]


def page(jobs: list[Job]) -> str:
    """The two tables, of the published recipes and of ours, with the command and their explanation."""
    done = [(job, result) for job in jobs if (result := finished(job))]
    tables = [
        (title, [row(job, result) for job, result in done if job.recipe in names])
        for title, names in (("Published recipes", PUBLISHED), ("Ours, within the same budget", OURS))
    ]
    pixels = f"{jobs[0].pixels} pixels" if jobs[0].pixels else "their own pixels"
    command = f"python -m benchmarks.training.published --minutes {jobs[0].minutes:g}"
    command += f" --pixels {jobs[0].pixels}" if jobs[0].pixels else ""
    lines = [
        "# All published recipes on the same data",
        f"`{command}`. Each trained within about {jobs[0].minutes:g} minutes on {worker_count()} cores, at "
        f"no more than {pixels} (or as many as the network needs): {len(done)} of {len(jobs)} done. Top-1 to "
        "top-5 and macro F1 are of the test images; 95 % intervals by bootstrap over groups; BELOW: worse "
        "than a random forest on colour and texture that saw the same training images. The published figures "
        "come from other images, of 15 to 170 classes, whole schedules and, where stated, pretrained "
        "weights.",
    ]
    lines += [f"## {title}\n\n{markdown_table(HEAD, rows)}" for title, rows in tables if rows]
    return "\n\n".join(lines) + "\n"


def work_through(jobs: list[Job]) -> None:
    """Run the unfinished jobs one after the other, and report each."""
    folders: dict[str, tuple[Path, str]] = {}
    for project in dict.fromkeys(job.project for job in jobs):
        try:
            folder = prepare(project)
            folders[project] = folder, version_of(folder, DATASETS[project])
        except UserError as missing:
            print(f"{project} is skipped: {missing}", flush=True)
    left = [job for job in jobs if job.project in folders]
    for number, job in enumerate(left, start=1):
        print(f"[{number}/{len(left)}] {job.project} {job.recipe}: ", end="", flush=True)
        try:
            result = do(job, *folders[job.project])
        except RuntimeError as error:
            print(f"FAILED, the next run will retry it: {error}", flush=True)
            continue
        if "error" in result:
            print(f"stopped: {result['error']}", flush=True)
        else:
            metrics = result["metrics"]
            print(
                f"{result['schedule']}; {result['seconds']} s; top-1 {metrics['top1']:.3f}, "
                f"forest {metrics['baselines']['forest']:.3f}",
                flush=True,
            )


def version_of(folder: Path, dataset: str) -> str:
    """The fingerprint of a dataset's files, which are not decoded."""
    digest = hashlib.sha256()
    for file in sorted((folder / "data/datasets" / dataset).glob("*.parquet")):
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def main() -> None:
    """Train what is unfinished, print the tables and write them to .cache/published/table.md."""
    names = (*PUBLISHED, *OURS)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=20, help="of training per run (default: 20)")
    parser.add_argument("--pixels", type=int, help="the largest image size; the recipe's own when left out")
    parser.add_argument("--data", nargs="+", choices=DATASETS, default=list(DATASETS))
    parser.add_argument("--recipes", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument(
        "--table-only", action="store_true", help="print the finished results without training"
    )
    options = parser.parse_args()
    jobs = [
        Job(project, recipe, options.minutes, options.pixels)
        for recipe in options.recipes
        for project in options.data
    ]
    if not options.table_only:
        work_through(jobs)
    text = page(jobs)
    write_text(WORK / "table.md", text)
    print(f"\n{text}")


if __name__ == "__main__":
    run_command(main)
