"""Project folders to run commands in, with small parameters, labels and rendered images."""

import os
import shutil
from pathlib import Path

import yaml

from tests.helpers.commands import ROOT

#: Small enough for tests, large enough for every kind of dirt and every variety to occur.
SEED, SCALE = 5, 0.08

#: Text is searched in one of eight images of that store instead of in three of four: that takes 0.2 s each.
STROKE_DENSITY = 0.7

#: The stages of curation, in order.
CURATION = (
    ("gemcurate", "measure", "--site", "demo"),
    ("gemcurate", "clean"),
    ("gemcurate", "crop"),
    ("gemcurate", "split"),
    ("gemcurate", "balance", "--dataset", "d1k"),
    ("gemcurate", "balance", "--dataset", "d2k"),
)


def small_params(**changes: dict[str, object]) -> dict[str, object]:
    """The project's params.yaml, reduced: a small store, less search for text, small crops, few steps."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["crawl"]["demo"] = {"seed": SEED, "scale": SCALE}
    params["measure"]["stroke_density"] = STROKE_DENSITY
    params["crop"]["size"] = 64
    params["balance"]["datasets"]["d1k"].update(target=60, minimum=20)
    params["balance"]["datasets"]["d2k"].update(target=120, minimum=60)
    for recipe in params["train"]["recipes"].values():
        recipe.update(image_size=64, max_steps=6)
    for section, change in changes.items():
        params[section] = {**params[section], **change} if isinstance(change, dict) else change
    return params


def empty_project(folder: Path) -> None:
    """Make a folder a project that lists nothing, unless it is a project already."""
    if not (folder / "params.yaml").exists():
        (folder / "params.yaml").write_text("sites: []\n")


def set_up(folder: Path, **changes: dict[str, object]) -> Path:
    """Write params.yaml and labels/ to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(small_params(**changes), sort_keys=False))
    shutil.copytree(ROOT / "labels", folder / "labels", dirs_exist_ok=True)
    return folder


def set_param(folder: Path, path: str, value: object) -> None:
    """Change one value in a folder's params.yaml; `path` is the dotted path of its key."""
    params = yaml.safe_load((folder / "params.yaml").read_text())
    *sections, key = path.split(".")
    section = params
    for name in sections:
        section = section[name]
    section[key] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def share_rendered(rendered: Path, folder: Path) -> None:
    """Hard-link the rendered images into a project folder."""
    shutil.copytree(rendered, folder / ".cache", copy_function=os.link)
