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
from scraper.tables import ReasonKind
from tests.helpers.crawl_shop import jpeg
from tests.helpers.damaged_images import (
    animations,
    cut,
    images,
    jpegs,
    metadata_bombs,
    multi_picture,
    odd_jpegs,
    odd_pngs,
    with_shifted_restarts,
    without_a_piece,
)
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


def fault(content: bytes) -> ReasonKind | None:
    try:
        check_image(content, 10**6)
    except InvalidImage as error:
        return error.reason.kind
    return None


def refused(content: bytes) -> bool:
    return fault(content) is not None


@pytest.mark.parametrize("name", images())
def test_an_image_that_lacks_its_end_is_truncated(name: str) -> None:
    assert {fault(content) for content in cut(images()[name])} == {ReasonKind.TRUNCATED}


@pytest.mark.parametrize("name", animations())
def test_an_animation_that_lacks_a_frame_or_its_middle_is_truncated(name: str) -> None:
    content = animations()[name]
    for behind in (b"", bytes(500), b"<!-- served by -->"):
        assert not refused(content + behind)
    assert {fault(damaged) for damaged in cut(content)} == {ReasonKind.TRUNCATED}
    assert {fault(damaged) for damaged in without_a_piece(content)} == {ReasonKind.TRUNCATED}


@pytest.mark.parametrize(("name", "ends"), [("GIF", [1, 2]), ("PNG", [1, 4, 8, 12])])
def test_an_image_that_lacks_only_the_mark_of_its_end_is_one(name: str, ends: list[int]) -> None:
    """As browsers show it: all its pixels are there."""
    whole = images()[name]
    for end in ends:
        assert check_image(whole[:-end], 10**6) == (name, 160, 120)
        assert (decode(whole[:-end]).pixels == decode(whole).pixels).all()
    assert fault(whole[:-40]) == ReasonKind.TRUNCATED


@pytest.mark.parametrize(("name", "end", "broken"), [("GIF", 1, False), ("GIF", 2, True), ("APNG", 12, True)])
def test_a_frame_that_breaks_off_is_told_from_a_missing_trailer(name: str, end: int, broken: bool) -> None:
    assert refused(animations()[name][:-end]) == broken


@pytest.mark.parametrize("name", odd_pngs())
def test_a_png_with_broken_metadata_is_an_image(name: str) -> None:
    content = odd_pngs()[name]
    assert check_image(content, 10**6) == ("PNG", 160, 120)
    assert (decode(content).pixels == decode(images()["PNG"]).pixels).all()


@pytest.mark.parametrize("name", jpegs())
def test_a_jpeg_that_browsers_show_is_an_image(name: str) -> None:
    whole = jpegs()[name]
    for oddity, content in odd_jpegs(whole).items():
        assert not refused(content), oddity
        assert (decode(content).pixels == decode(whole).pixels).all(), oddity


def test_restart_markers_may_start_at_any_number() -> None:
    assert not refused(with_shifted_restarts(jpegs()["restart rows"]))


@pytest.mark.parametrize("wrong", [-1, 1])
def test_a_webp_whose_size_is_wrong_by_one_is_an_image(wrong: int) -> None:
    content = images()["WebP"]
    size = int.from_bytes(content[4:8], "little") + wrong
    content = content[:4] + size.to_bytes(4, "little") + content[8:]
    assert not refused(content)
    assert decode(content).pixels.shape == (120, 160, 3)


@pytest.mark.parametrize("name", jpegs())
def test_a_jpeg_cut_in_its_last_scan_is_truncated_whatever_follows(name: str) -> None:
    """Proxies end a cut file with an end marker, disks with bytes that were never written."""
    content = jpegs()[name]
    for lost in (200, 400):
        kept = content[: -2 - lost]
        for behind in (b"", b"\xff\xd9", bytes(lost), bytes(50_000)):
            assert fault(kept + behind) == ReasonKind.TRUNCATED, (lost, behind[:2])


def test_a_progressive_jpeg_without_its_last_scans_is_truncated() -> None:
    content = jpegs()["progressive"]
    scans = [at for at in range(len(content) - 1) if content[at : at + 2] == b"\xff\xda"]
    for at in scans[1:]:
        assert fault(content[:at] + b"\xff\xd9") == ReasonKind.TRUNCATED


def test_a_flat_jpeg_whose_data_ends_in_zeros_lacks_only_its_end_marker() -> None:
    content = encoded(Image.new("L", (640, 480), 255), "JPEG", optimize=True)
    assert content[-20:-4] == bytes(16)
    assert not refused(content[:-2])


@pytest.mark.parametrize("name", images())
def test_a_whole_image_is_valid_whatever_follows_it(name: str) -> None:
    content = images()[name]
    for behind in (b"", b"\0" * 500, b"\r\n", b"<!-- served by -->", content[:300]):
        assert not refused(content + behind), behind


@pytest.mark.parametrize("name", jpegs())
def test_most_jpegs_that_lack_a_piece_of_their_middle_are_refused(name: str) -> None:
    """In the rest, a decoder finds no trace: the data goes on with another block."""
    damaged = [refused(content) for content in without_a_piece(jpegs()[name])]
    assert sum(damaged) >= len(damaged) * 0.6


@pytest.mark.parametrize("name", ["restart rows", "restart blocks"])
def test_a_jpeg_that_lacks_a_piece_between_two_restart_markers_is_truncated(name: str) -> None:
    content = jpegs()[name]
    marks = [at for at in range(600, len(content) - 1) if content[at] == 0xFF and content[at + 1] >> 3 == 26]
    for start, end in zip(marks[:-1:3], marks[1::3], strict=False):
        middle = (start + end) // 2
        assert fault(content[:middle] + content[end:]) == ReasonKind.TRUNCATED


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
