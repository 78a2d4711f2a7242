"""Project folders to run the commands in: parameters made small, labels, rendered images."""

import os
import shutil
from pathlib import Path

import yaml

from tests.helpers.commands import ROOT

#: Small enough for tests, large enough that every kind of dirt and every variety occurs.
SEED, SCALE = 5, 0.12

#: The curation's stages, in order.
CURATION = (
    ("gemcurate", "measure", "--site", "demo"),
    ("gemcurate", "clean"),
    ("gemcurate", "crop"),
    ("gemcurate", "split"),
    ("gemcurate", "balance", "--dataset", "d1k"),
    ("gemcurate", "balance", "--dataset", "d2k"),
)


def small_params(**changes: dict[str, object]) -> dict[str, object]:
    """The project's own params.yaml, made small: a tenth of the store, small crops, a few training steps."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["crawl"]["demo"] = {"seed": SEED, "scale": SCALE}
    params["crop"]["size"] = 64
    params["balance"]["datasets"]["d1k"].update(target=60, minimum=20)
    params["balance"]["datasets"]["d2k"].update(target=120, minimum=60)
    for recipe in params["train"]["recipes"].values():
        recipe.update(image_size=64, max_steps=6)
    for section, change in changes.items():
        params[section] = {**params[section], **change} if isinstance(change, dict) else change
    return params


def set_up(folder: Path, **changes: dict[str, object]) -> Path:
    """Put params.yaml and labels/ into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(small_params(**changes), sort_keys=False))
    shutil.copytree(ROOT / "labels", folder / "labels", dirs_exist_ok=True)
    return folder


def set_param(folder: Path, path: str, value: object) -> None:
    """Change one value of a folder's params.yaml, named by its key's path."""
    params = yaml.safe_load((folder / "params.yaml").read_text())
    *sections, key = path.split(".")
    inside = params
    for section in sections:
        inside = inside[section]
    inside[key] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def share_rendered(rendered: Path, folder: Path) -> None:
    shutil.copytree(rendered, folder / ".cache", copy_function=os.link)
