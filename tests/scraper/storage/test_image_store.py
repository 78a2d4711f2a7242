"""The image store: which bytes are images, and which files are left behind."""

import io
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gemkit.image_codec import ImageError, decode
from scraper.http.errors import Stopped
from scraper.storage.image_store import ImageStore, InvalidImage, check_image
from tests.helpers.crawl_shop import jpeg
from tests.helpers.damaged_images import cut, images, jpegs, metadata_bombs, multi_picture, without_a_piece
from tests.helpers.encoded_images import encoded


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


def refused(content: bytes) -> bool:
    try:
        check_image(content, 10**6)
    except InvalidImage:
        return True
    return False


@pytest.mark.parametrize("name", images())
def test_an_image_that_lacks_its_end_is_refused(name: str) -> None:
    assert all(refused(content) for content in cut(images()[name]))


@pytest.mark.parametrize("name", images())
def test_a_whole_image_is_valid_whatever_follows_it(name: str) -> None:
    content = images()[name]
    for behind in (b"", b"\0" * 500, b"\r\n", b"<!-- served by -->", content[:300]):
        assert not refused(content + behind), behind


@pytest.mark.parametrize("name", jpegs())
def test_most_jpegs_that_lack_a_piece_of_their_middle_are_refused(name: str) -> None:
    """In the rest, a decoder finds no trace: the data goes on with another block."""
    damaged = [refused(content) for content in without_a_piece(jpegs()[name])]
    assert sum(damaged) >= len(damaged) * 0.4


@pytest.mark.parametrize("name", ["PNG", "GIF", "WebP", "BMP", "TIFF", "compressed TIFF", "AVIF"])
def test_other_images_that_lack_a_piece_of_their_middle_are_refused(name: str) -> None:
    assert all(refused(content) for content in without_a_piece(images()[name]))


@settings(max_examples=60, deadline=None)
@given(
    mode=st.sampled_from(["RGB", "L", "CMYK"]),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    level=st.integers(126, 129),
    quality=st.sampled_from([30, 75, 95]),
    progressive=st.booleans(),
    restart=st.integers(0, 3),
)
def test_a_jpeg_that_ends_in_grey_lacks_nothing(
    mode: str, size: tuple[int, int], level: int, quality: int, progressive: bool, restart: int
) -> None:
    grey = Image.new(mode, size, (level,) * len(mode) if len(mode) > 1 else level)
    options = {"quality": quality, "progressive": progressive, "restart_marker_blocks": restart}
    assert not refused(encoded(grey, "JPEG", **options))


def test_a_multi_picture_jpeg_counts_as_its_first_image() -> None:
    content = multi_picture()
    assert not refused(content[: len(content) * 3 // 4])
    assert refused(content[: len(content) // 4])


@pytest.mark.parametrize("name", metadata_bombs())
def test_a_metadata_bomb_is_an_image(name: str) -> None:
    content = metadata_bombs()[name]
    assert check_image(content, 10**6)[1:] == (160, 120)
    assert decode(content).pixels.shape == (120, 160, 3)


def test_decoders_say_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    for content in images().values():
        for damaged in (*cut(content), *without_a_piece(content)):
            refused(damaged)
            with suppress(ImageError):
                decode(damaged)
    assert capfd.readouterr() == ("", "")
