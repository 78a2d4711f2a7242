"""A small project whose images are ready to be cropped."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from curation.tables import CLEAN
from gemkit.project import Project
from gemkit.tables import write_table
from tests.helpers.stone_images import COLOURS, stone_image


@pytest.fixture
def home(tmp_path: Path) -> Project:
    """A project in a folder that is not the current one."""
    return Project(tmp_path)


@pytest.fixture
def kept_images(home: Project) -> list[dict]:
    """The kept rows of data/clean.parquet of the project `home`, whose raw images exist."""
    rows = []
    for number, (variety, colour) in enumerate(
        [*COLOURS.items(), ("ruby", (190, 30, 60)), ("ruby", (9, 9, 9))]
    ):
        path = home.image(f"shop/images/{number}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(stone_image(colour, seed=number)).save(path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append({
            "sha256": sha256, "path": f"shop/images/{number}.png", "variety": variety, "keep": number < 4,
        })  # fmt: skip
    rows.sort(key=lambda row: row["sha256"])
    write_table(home.clean_table, pa.Table.from_pylist(rows, CLEAN))
    return [row for row in rows if row["keep"]]
