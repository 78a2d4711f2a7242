"""The crop of one image, and the steps to it, are written as PNG."""

from pathlib import Path

import pytest
from PIL import Image

from curation.cropping.params import CropParams
from curation.inspect.show import show
from gemkit.errors import UserError
from gemkit.project import Project
from tests.helpers.stone_images import TRUE_BOX, iou


def test_one_image_is_shown_with_its_steps(
    home: Project, kept_images: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home.root)
    settings = CropParams(size=64, removal="classical")
    path = home.image(kept_images[0]["path"])
    found = show(path, settings)
    assert iou(tuple(found["stone box"]), TRUE_BOX) > 0.9
    assert Image.open(found["written"]).size == (64, 64)
    assert found["written"] == f"{path.stem}-crop.png"
    found = show(path, settings, steps=True, out=Path("out/strip.png"))
    assert found["written"] == "out/strip.png"
    width, height = Image.open("out/strip.png").size
    assert width > 5 * height * 0.8
    with pytest.raises(UserError, match=r"nothing\.jpg"):
        show(Path("nothing.jpg"), settings)
