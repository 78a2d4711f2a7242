"""The datasets for the published recipes, each in a project folder of its own below `.cache/`."""

import os
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from benchmarks._commands import GEMSCRAPE, output_tail, running
from benchmarks._shared import GEMS68, NO_GEMS68, ROOT
from benchmarks.training._scaled_schedule import Sizes
from gemkit.errors import UserError
from gemkit.tables import write_text

WORK = ROOT / ".cache" / "published"
#: The dataset of each project.
DATASETS = {"demo": "d1k", "gems68": "d200"}


def prepare(project: str) -> Path:
    """Make the dataset of a project; returns its folder. Raises UserError that says what is missing."""
    folder = WORK / project
    folder.mkdir(parents=True, exist_ok=True)
    if project == "demo":
        _link_demo(folder)
    else:
        _make_gems68(folder)
    return folder


def _link_demo(folder: Path) -> None:
    """Link the dataset that the pipeline made in this repository."""
    if not any((ROOT / "data/datasets" / DATASETS["demo"]).glob("test-*.parquet")):
        raise UserError("'data/datasets/d1k' is missing: 'make repro' makes it from the demo store.")
    link = folder / "data/datasets"
    link.parent.mkdir(exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(ROOT / "data/datasets")


def _make_gems68(folder: Path) -> None:
    """Run the pipeline's stages with params/gems68.yaml unless finished; interrupted stages continue."""
    dataset = DATASETS["gems68"]
    if (folder / "metrics" / dataset / "dataset.json").exists():  # written last
        return
    if not GEMS68.is_dir():
        raise UserError(NO_GEMS68)
    params = yaml.safe_load((ROOT / "params/gems68.yaml").read_text(encoding="utf-8"))
    params["crawl"]["gems68"]["folder"] = str(GEMS68 / "train")
    for key in ("taxonomy", "decisions"):
        params["clean"][key] = str(ROOT / params["clean"][key])
    write_text(folder / "params.yaml", yaml.safe_dump(params, sort_keys=False))
    for stage in (
        "gemscrape crawl --site gems68",
        "gemcurate measure --site gems68",
        "gemcurate clean",
        "gemcurate crop",
        "gemcurate split",
        f"gemcurate balance --dataset {dataset}",
    ):
        print(f"gems68: {stage}", flush=True)
        run(stage, folder)


def run(command: str, folder: Path) -> None:
    """Run a project command in a folder. Raises UserError with its own message, or RuntimeError."""
    name, *arguments = command.split()
    (folder / "output.txt").unlink(missing_ok=True)
    os.environ.setdefault("U2NET_HOME", str(ROOT / ".cache/models"))
    with running([GEMSCRAPE.with_name(name), *arguments], folder) as process:
        code = process.wait()
    words = output_tail(folder)
    if code == UserError.exit_code:
        raise UserError(words.rpartition("error: ")[2].strip())
    if code:
        raise RuntimeError(f"'{command}' ended with {code}: {words}")


def sizes_of(folder: Path, dataset: str) -> Sizes:
    """The sizes of a dataset of a project."""

    def column(split: str, name: str) -> list[object]:
        files = sorted((folder / "data/datasets" / dataset).glob(f"{split}-*.parquet"))
        return [value for file in files for value in pq.read_table(file, columns=[name])[name].to_pylist()]

    sources = column("train", "sha256")
    return Sizes(
        len(set(column("train", "label"))),
        len(sources),
        len(set(sources)),
        len(column("validation", "label")),
    )
