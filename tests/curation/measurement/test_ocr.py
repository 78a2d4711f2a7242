"""Printed text is detected, and a plain image has none."""

from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from curation.features.graph_file import graph_file
from curation.measurement.measure import StoredImage, measure_image
from curation.measurement.params import MeasureParams
from tests.helpers.encoded_images import half_red


@pytest.mark.heavy
def test_printed_text_is_detected(tmp_path: Path) -> None:
    paper = Image.new("RGB", (400, 400), "white")
    draw = ImageDraw.Draw(paper)
    for line in range(8):
        draw.text((40, 40 + 40 * line), f"Certificate of origin {line}", fill="black", font_size=20)
    paper.save(tmp_path / "paper.png")
    half_red(400, 400).save(tmp_path / "plain.png")
    graph = graph_file(tmp_path)
    boxes = {
        name: measure_image(StoredImage(name, tmp_path / f"{name}.png"), MeasureParams(), graph).row[
            "text_boxes"
        ]
        for name in ("paper", "plain")
    }
    assert boxes["paper"] >= 5
    assert boxes["plain"] < 3
