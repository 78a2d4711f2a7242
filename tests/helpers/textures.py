"""A dataset of rendered textures, small enough to train on in seconds."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml
from PIL import Image

from gemkit.project import Project
from gemkit.tables import write_table
from gemtrain.tables import DATASET
from tests.helpers.commands import called

VARIETIES = ("Beryl", "Garnet", "Topaz")


SOURCES = {"train": 12, "validation": 4, "test": 5}


STEPS = 12


def texture(label: int, number: int, side: int = 48) -> np.ndarray:
    """Stripes whose colour and width depend on the class, with noise that depends on class and number."""
    rng = np.random.default_rng([label, number])
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    angle = rng.uniform(0, np.pi)
    wave = 0.5 + 0.5 * np.sin((x * np.cos(angle) + y * np.sin(angle)) / (1 + label))
    colour = np.array([(200, 60, 60), (60, 180, 60), (60, 60, 210)][label % 3])
    return np.clip(wave[..., None] * colour + rng.normal(0, 12, (side, side, 3)), 0, 255).astype(np.uint8)


def row_of(label: int, number: int, split: str, rotation: int = 0) -> dict[str, object]:
    """A row of DATASET; `rotation` is in degrees, a multiple of 90."""
    content = io.BytesIO()
    Image.fromarray(np.rot90(texture(label, number), rotation // 90)).save(content, "JPEG", quality=95)
    sha256 = hashlib.sha256(f"{label} {number}".encode()).hexdigest()
    return {
        "image": {"bytes": content.getvalue(), "path": f"{sha256}.jpg"},
        "label": label,
        "variety": VARIETIES[label],
        "species": VARIETIES[label],
        "group_id": f"{split} {label} {number}",
        "sha256": sha256,
        "rotation": rotation,
        "mirrored": False,
    }


def write_rows(name: str, split: str, rows: list[dict[str, object]], project: Project = Project()) -> None:
    """Write the file of a split of a dataset."""
    path = project.dataset(name) / f"{split}-00000.parquet"
    write_table(path, pa.Table.from_pylist(rows, schema=DATASET))


def make_dataset(name: str = "gems", classes: int = 3, project: Project = Project()) -> None:
    """Write a dataset: every training image in two orientations."""
    for offset, (split, sources) in enumerate(SOURCES.items()):
        rotations = (0, 90) if split == "train" else (0,)
        rows = [
            row_of(label, 100 * offset + number, split, rotation)
            for label in range(classes)
            for number in range(sources)
            for rotation in rotations
        ]
        write_rows(name, split, rows, project)


def write_params(**recipes: dict[str, object]) -> None:
    """Write params.yaml with short trainings, and these changes to recipes."""
    changes: dict[str, dict[str, object]] = {
        "gemnet": {"image_size": 48, "max_steps": STEPS, "batch_size": 8},
        "efficientnet_lite0": {"image_size": 48, "max_steps": 4, "batch_size": 8},
    }
    for recipe, values in recipes.items():
        changes[recipe] = {**changes[recipe], **values}
    Path("params.yaml").write_text(yaml.safe_dump({"train": {"seed": 1, "recipes": changes}, "evaluate": {}}))


def gemtrain(verb: str, recipe: str = "gemnet", *more: str, expect: int = 0) -> str:
    """Run a command of gemtrain in this process, which has already loaded torch; returns its output."""
    arguments = () if verb == "recipes" else ("--dataset", "gems", "--recipe", recipe)
    done = called("gemtrain", verb, *arguments, *more, cwd=Path.cwd(), expect=expect)
    return done.stdout + done.stderr
