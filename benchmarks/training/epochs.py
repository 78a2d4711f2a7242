"""The speed of an epoch on this machine, compared with a plain loop of ImageFolder and DataLoader.

    python -m benchmarks.training.epochs [--pixels 128] [--epochs 8] [--rounds 2]

Both train on the same class folders of JPEG files, the demo's images as in d1k without its rotated copies,
from the same weights of EfficientNet-Lite0, with the same augmentation (any angle, mirrored), batch size,
optimiser and schedule: `gemtrain train` with the recipe plain-efficientnet_lite0, and `_imagefolder.py`,
which loads in its own process, in one loader process or in one per core, all on the CPU. The plain loop is as
in tutorials: its images are in PyTorch's usual order of axes, and the corners of a rotated image are black,
like the background. They take turns, and the best round counts. The time of an epoch, validation included, is
the difference between a long and a short run; "whole" is the long run from its start to the finished model.
Accuracies are those of the test images.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks._commands import GEMSCRAPE, finish, running, table
from benchmarks._shared import ROOT
from gemkit.errors import run_command
from gemkit.executor.base import worker_count
from gemkit.tables import table_files
from gemtrain.tables import SPLITS

RECIPE = "plain-efficientnet_lite0"
_PLAIN = Path(__file__).with_name("_imagefolder.py")
_DATASET = ROOT / "data/datasets/d1k"
_PARAMS = "train: {{recipes: {{{recipe}: {{image_size: {pixels}, stages: [{stage}]}}}}}}\n"
_STAGE = "{{epochs: {epochs}, learning_rate: 5e-4, warmup: 0.05, decay: cosine}}"
_LONGEST_SECONDS = 3600.0
#: Epochs of the short run.
_SHORT = 1


def write_folders(root: Path) -> int:
    """Write the unrotated images as <split>/<class>/ files; returns the number of training images."""
    training_images = 0
    for file in table_files(_DATASET):
        split = next(split for split in SPLITS if file.name.startswith(split))
        for row in pq.read_table(file).to_pylist():
            if row["rotation"] or row["mirrored"]:
                continue
            path = root / split / row["variety"] / f"{row['sha256']}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(row["image"]["bytes"])
            training_images += split == "train"
    return training_images


def ours(images: Path, pixels: int, epochs: int, folder: Path) -> tuple[float, float]:
    """Seconds of `gemtrain train` in an empty folder, and the accuracy of its model."""
    stage = _STAGE.format(epochs=epochs)
    (folder / "params.yaml").write_text(_PARAMS.format(recipe=RECIPE, pixels=pixels, stage=stage))
    options: list[str | Path] = ["--dataset", images, "--recipe", RECIPE, "--device", "cpu"]
    start = time.perf_counter()
    with running([GEMSCRAPE.with_name("gemtrain"), "train", *options], folder) as process:
        finish(process, folder, _LONGEST_SECONDS)
    seconds = time.perf_counter() - start
    with running([GEMSCRAPE.with_name("gemtrain"), "evaluate", *options], folder) as process:
        finish(process, folder, _LONGEST_SECONDS)
    return seconds, json.loads((folder / f"metrics/{images.name}/{RECIPE}.json").read_text())["top1"]


def plain(workers: int, images: Path, pixels: int, epochs: int, folder: Path) -> tuple[float, float]:
    """Seconds of the plain loop, and the accuracy of its model, which is measured afterwards."""
    numbers = [str(number) for number in (pixels, epochs, workers)]
    command: list[str | Path] = [sys.executable, _PLAIN, RECIPE, images, *numbers]
    start = time.perf_counter()
    with running(command, folder) as process:
        seconds = 0.0
        while not (folder / "trained").exists() and process.poll() is None and seconds < _LONGEST_SECONDS:
            time.sleep(0.02)
            seconds = time.perf_counter() - start
        finish(process, folder, _LONGEST_SECONDS)
    return seconds, float((folder / "accuracy").read_text())


LOOPS: dict[str, Callable[[Path, int, int, Path], tuple[float, float]]] = {
    "gemtrain": ours,
    "plain, loading in the same process": partial(plain, 0),
    "plain, one loader process": partial(plain, 1),
    "plain, a loader process per core": partial(plain, worker_count()),
}


def main() -> None:
    """Run all loops in turns and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pixels", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    if options.epochs <= _SHORT:
        parser.error(f"--epochs must be more than {_SHORT}")
    with tempfile.TemporaryDirectory() as name:
        images, folders = Path(name) / "images", (Path(name) / str(number) for number in count())
        training_images = write_folders(images)
        found: dict[str, dict[int, list[tuple[float, float]]]] = {}
        for _ in range(options.rounds):
            for loop, run in LOOPS.items():
                for epochs in (_SHORT, options.epochs):
                    folder = next(folders)
                    folder.mkdir()
                    result = run(images, options.pixels, epochs, folder)
                    found.setdefault(loop, {}).setdefault(epochs, []).append(result)
    rows, first = [], 0.0
    for loop, runs in found.items():
        short, long = (min(seconds for seconds, _ in runs[epochs]) for epochs in (_SHORT, options.epochs))
        epoch = (long - short) / (options.epochs - _SHORT)
        first = first or epoch
        accuracies = ", ".join(f"{accuracy:.3f}" for _, accuracy in runs[options.epochs])
        rows.append(
            [
                loop,
                f"{epoch:.1f}",
                f"{training_images / epoch:.0f}",
                f"{epoch / first:.2f}",
                f"{long:.0f}",
                accuracies,
            ]
        )
    head = ["loop", "seconds an epoch", "images/s", "times ours", "seconds, whole", "top-1"]
    print(f"{training_images} training images of {options.pixels} pixels, {options.epochs} epochs\n")
    print(table(head, rows))


if __name__ == "__main__":
    run_command(main)
