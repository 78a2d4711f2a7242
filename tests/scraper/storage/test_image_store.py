"""The image store: which bytes are images, and which files are left behind."""

import io
from pathlib import Path

import pytest
from PIL import Image

from scraper.http.errors import Stopped
from scraper.storage.image_store import ImageStore, check_image
from tests.helpers.crawl_shop import jpeg


def test_multi_picture_jpegs_and_thin_images_are_valid() -> None:
    images = [Image.new("RGB", (64, 48), colour) for colour in ("red", "blue")]
    several, thin = io.BytesIO(), io.BytesIO()
    images[0].save(several, "MPO", save_all=True, append_images=images[1:])
    Image.new("RGB", (300, 4)).save(thin, "JPEG")
    assert check_image(several.getvalue(), 10_000) == ("JPEG", 64, 48)
    assert check_image(thin.getvalue(), 10_000) == ("JPEG", 300, 4)


def test_an_image_stored_too_late_leaves_no_file(tmp_path: Path) -> None:
    store = ImageStore(tmp_path, 10**6)
    recorded, late = store.add(jpeg(1)), store.add(jpeg(2))
    store.close({recorded.path})
    with pytest.raises(Stopped):
        store.add(jpeg(3))
    assert [file.name for file in (tmp_path / "images").rglob("*.*")] == [Path(recorded.path).name]
    assert late.path != recorded.path
