"""A small project whose images are ready to be cropped."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from curation.cropping.rembg_weights import fetch
from curation.tables import CLEAN
from gemkit.tables import write_table
from tests.helpers.stone_images import COLOURS, stone_image


@pytest.fixture
def kept_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The kept rows of data/clean.parquet in a project in the current folder, whose raw images exist."""
    monkeypatch.setenv("U2NET_HOME", str(fetch("u2netp").parent))
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("crop: {size: 64, margin: 0.06}")
    rows = []
    for number, (variety, colour) in enumerate(
        [*COLOURS.items(), ("ruby", (190, 30, 60)), ("ruby", (9, 9, 9))]
    ):
        path = Path("data/raw/shop/images") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(stone_image(colour, seed=number)).save(path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append({
            "sha256": sha256, "path": f"shop/images/{number}.png", "variety": variety, "keep": number < 4,
        })  # fmt: skip
    rows.sort(key=lambda row: row["sha256"])
    write_table(Path("data/clean.parquet"), pa.Table.from_pylist(rows, CLEAN))
    return [row for row in rows if row["keep"]]
