"""Images on this machine: folders and zips become raw images like those of a store."""

import hashlib
import os
import shutil
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gemkit.errors import UserError
from gemkit.project import Project
from gemkit.tables import read_table
from scraper.crawling.crawl import import_images
from scraper.http.errors import FetchError
from scraper.stores.image_folder import Folder
from scraper.tables import IMAGES
from tests.helpers.commands import called
from tests.helpers.crawl_shop import jpeg
from tests.helpers.project import empty_project, set_up


def rows(folder: Path, site: str = "own") -> dict[str, dict[str, Any]]:
    table = read_table(folder / f"data/raw/{site}/images.parquet", IMAGES)
    return {row["image_url"].removeprefix("file:"): row for row in table.to_pylist()}


def run_import(folder: Path, path: Path, expect: int | None = 0) -> str:
    empty_project(folder)
    done = called("gemscrape", "import", "--site", "own", str(path), cwd=folder, expect=expect)
    return done.stdout + done.stderr


@pytest.fixture
def gems(tmp_path: Path) -> Path:
    """Class folders in Kaggle's layout, with other files that such folders contain."""
    folder = tmp_path / "gems"
    for number, name in enumerate(["train/Ruby/1.jpg", "train/Cats Eye/ä 1.JPEG", "test/Ruby/2.jpg"]):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(jpeg(number))
    (folder / "train/Ruby/broken.jpg").write_bytes(jpeg(9, 200)[:-400])
    (folder / "train/Ruby/empty.png").write_bytes(b"")
    (folder / "train/Ruby/.DS_Store").write_bytes(b"x")
    (folder / "labels.csv").write_text("a,b")
    (folder / "loose.jpg").write_bytes(jpeg(8))
    return folder


def zipped(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder), "zip", folder))


@pytest.mark.parametrize("packed", [False, True])
def test_class_folders_become_classes(tmp_path: Path, gems: Path, packed: bool) -> None:
    before = {path: path.read_bytes() for path in gems.rglob("*") if path.is_file()}
    output = run_import(tmp_path, zipped(gems) if packed else gems, expect=4)
    assert "1 file outside a class folder skipped: loose.jpg" in output
    assert "1 file without an image suffix skipped: labels.csv" in output
    assert "train/Ruby/broken.jpg: truncated" in output and "train/Ruby/empty.png: empty" in output
    found = rows(tmp_path)
    classes = {name: row["store_classes"] for name, row in found.items() if row["status"] == "ok"}
    assert classes == {
        "train/Ruby/1.jpg": ["Ruby"],
        "test/Ruby/2.jpg": ["Ruby"],
        "train/Cats%20Eye/%C3%A4%201.JPEG": ["Cats Eye"],
    }
    assert found["train/Ruby/broken.jpg"]["status"] == "invalid"
    assert found["train/Ruby/empty.png"]["reason"] == "empty"
    for row in found.values():
        if row["path"]:
            content = (tmp_path / "data/raw/own" / row["path"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == row["sha256"]
    assert {path: path.read_bytes() for path in gems.rglob("*") if path.is_file()} == before


def test_a_second_import_reads_only_what_changed(tmp_path: Path, gems: Path) -> None:
    run_import(tmp_path, gems, expect=4)
    (gems / "train/Ruby/1.jpg").write_bytes(jpeg(50))
    (gems / "train/Ruby/new.jpg").write_bytes(jpeg(51))
    (gems / "test/Ruby/2.jpg").unlink()
    output = run_import(tmp_path, gems, expect=4)
    assert "downloaded  2 (1 new, 1 changed), 1 unchanged, 1 gone since" in output
    assert rows(tmp_path)["test/Ruby/2.jpg"]["status"] == "gone"


def test_no_path_leads_out(tmp_path: Path, gems: Path) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(jpeg(70))
    (gems / "train/Ruby/link.jpg").symlink_to(secret)
    run_import(tmp_path, gems, expect=4)
    assert rows(tmp_path)["train/Ruby/link.jpg"]["reason"] == "its path leads out of the folder"
    archive = tmp_path / "evil.zip"
    names = ["../Ruby/1.jpg", "/../Ruby/2.jpg", "a/../../Ruby/3.jpg", "..\\Ruby/4.jpg", "Ruby/good.jpg"]
    with zipfile.ZipFile(archive, "w") as file:
        for number, name in enumerate(names):
            file.writestr(name, jpeg(number))
    run_import(tmp_path, archive, expect=4)
    found = {name: row for name, row in rows(tmp_path).items() if row["status"] != "gone"}
    assert [name for name, row in found.items() if row["status"] == "ok"] == ["Ruby/good.jpg"]
    refused = [row["reason"] for row in found.values() if row["status"] == "refused"]
    assert refused == ["its path leads out of the archive"] * 4
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".jpg") == ["secret.jpg"]


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("Ruby/bomb.jpg", bytes(30_000_000))
        file.writestr("Ruby/good.jpg", jpeg(1))
    content = bytearray(archive.read_bytes())
    assert len(content) < 100_000
    run_import(tmp_path, archive)
    assert rows(tmp_path)["Ruby/bomb.jpg"]["reason"] == "more than 20000000 bytes"
    lie = (1000).to_bytes(4, "little")
    archive.write_bytes(bytes(content).replace((30_000_000).to_bytes(4, "little"), lie))
    run_import(tmp_path, archive, expect=None)
    assert rows(tmp_path)["Ruby/bomb.jpg"]["status"] in ("failed", "invalid")
    assert rows(tmp_path)["Ruby/good.jpg"]["status"] == "ok"


@pytest.mark.parametrize(
    ("content", "word"), [(None, "does not exist"), (b"PK no zip", "nor a readable zip")]
)
def test_an_error_is_one_sentence(tmp_path: Path, content: bytes | None, word: str) -> None:
    path = tmp_path / "own.zip"
    if content is not None:
        path.write_bytes(content)
    output = run_import(tmp_path, path, expect=2)
    assert output.startswith("error: ") and word in output and output.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_the_name_of_a_known_site_is_refused(tmp_path: Path, gems: Path) -> None:
    project = Project(tmp_path)
    project.sites.mkdir()
    (project.sites / "own.toml").write_text('kind = "folder"\ntitle = "Own"\n')
    for name, origin in (("own", f"described in '{project.sites}/own.toml'"), ("demo", "built in")):
        with pytest.raises(UserError, match=f"'{name}' is a known site, {origin}"):
            import_images(project, gems, name)
    with pytest.raises(UserError, match="'My gems' is not a valid site name"):
        import_images(project, gems, "My gems")
    assert not (tmp_path / "data").exists()


def test_a_folder_without_class_folders(tmp_path: Path) -> None:
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat/1.jpg").write_bytes(jpeg(1))
    assert "contains no image in a class folder" in run_import(tmp_path, tmp_path / "flat", expect=2)
    assert not (tmp_path / "data").exists()


def test_a_folder_is_a_site_of_the_pipeline(tmp_path: Path, gems: Path) -> None:
    set_up(tmp_path, crawl={"mine": {"folder": "gems"}})
    (tmp_path / "mine.toml").write_text('kind = "folder"\ntitle = "My own"\n')
    done = called("gemscrape", "crawl", "--site", "mine.toml", cwd=tmp_path, expect=4)
    assert "downloaded  3" in done.stdout
    assert len([row for row in rows(tmp_path, "mine").values() if row["status"] == "ok"]) == 3
    called("gemcurate", "measure", "--site", "mine", cwd=tmp_path)
    called("gemscrape", "plan", "--site", "mine.toml", cwd=tmp_path, expect=2)


@pytest.fixture
def eight(tmp_path: Path) -> Path:
    """A folder of eight images."""
    folder = tmp_path / "eight" / "Ruby"
    folder.mkdir(parents=True)
    for number in range(8):
        (folder / f"{number}.jpg").write_bytes(jpeg(number))
    return folder.parent


def damaged_zip(folder: Path) -> Path:
    archive = zipped(folder)
    content = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as file:
        content[file.getinfo("Ruby/3.jpg").header_offset + 200] ^= 0xFF
    archive.write_bytes(content)
    return archive


def locked_zip(folder: Path) -> Path:
    archive = zipped(folder)
    content = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as file:
        name = b"Ruby/3.jpg"
        content[file.getinfo(name.decode()).header_offset + 6] |= 1
        content[content.rindex(name) - 46 + 8] |= 1
    archive.write_bytes(content)
    return archive


def dangling(folder: Path) -> Path:
    (folder / "Ruby/3.jpg").unlink()
    (folder / "Ruby/3.jpg").symlink_to("nowhere.jpg")
    return folder


def circular(folder: Path) -> Path:
    (folder / "Ruby/3.jpg").unlink()
    (folder / "Ruby/3.jpg").symlink_to("3.jpg")
    return folder


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (damaged_zip, "damaged in the zip"),
        (locked_zip, "locked with a password"),
        (dangling, "a link that leads nowhere"),
        (circular, "a link that leads nowhere"),
    ],
)
def test_a_file_that_cannot_be_read_is_missing(
    tmp_path: Path, eight: Path, damage: Callable[[Path], Path], reason: str
) -> None:
    output = run_import(tmp_path, damage(eight), expect=4)
    assert f"Ruby/3.jpg: {reason}" in output
    assert "1 of 8 images (12.5%)" in output
    assert [row["reason_kind"] for row in rows(tmp_path).values() if row["status"] != "ok"] == [
        "file_unreadable"
    ]


def test_the_share_that_may_be_missing_is_a_parameter(tmp_path: Path, eight: Path) -> None:
    set_up(tmp_path, crawl={"mine": {"folder": "eight", "missing": 0.2}})
    (tmp_path / "mine.toml").write_text('kind = "folder"\ntitle = "My own"\n')
    dangling(eight)
    called("gemscrape", "crawl", "--site", "mine.toml", cwd=tmp_path)
    (eight / "Ruby/4.jpg").unlink()
    (eight / "Ruby/4.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "data/raw/mine").rename(tmp_path / "before")
    called("gemscrape", "crawl", "--site", "mine.toml", cwd=tmp_path, expect=4)


def test_a_folder_that_cannot_be_listed_is_a_missing_class(
    tmp_path: Path, eight: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (eight / "Opal").mkdir()
    scandir = os.scandir

    def forbidden(path: object) -> Any:
        if str(path).endswith("Opal"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr("os.scandir", forbidden)
    output = run_import(tmp_path, eight, expect=4)
    assert "1 of 2 classes" in output and "Opal: 1 page (cannot be listed)" in output


def test_what_is_no_file_is_named_and_never_opened(
    tmp_path: Path, eight: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(eight / "Ruby/pipe.jpg")
    (eight / "Ruby/to pipe.jpg").symlink_to("pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(eight / "Ruby")  # the path of a socket must be short
        listener.bind("socket.jpg")
    (eight / "Ruby/folder.jpg").mkdir()
    (eight / "Opal").symlink_to(eight / "Ruby")
    output = run_import(tmp_path, eight)
    assert (
        "3 links, pipes, sockets or devices skipped: Ruby/pipe.jpg, Ruby/socket.jpg, Ruby/to pipe" in output
    )
    assert "1 folder named like an image skipped: Ruby/folder.jpg" in output
    assert "1 link to a folder skipped: Opal" in output
    assert len(rows(tmp_path)) == 8


def test_a_pipe_is_no_zip(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "own.zip")
    assert "neither a folder nor a zip" in run_import(tmp_path, tmp_path / "own.zip", expect=2)


def test_a_pipe_in_place_of_a_listed_file_is_not_waited_for(eight: Path) -> None:
    folder = Folder(eight, 10**6)
    (link, *_) = folder.links().links
    (eight / "Ruby/0.jpg").unlink()
    os.mkfifo(eight / "Ruby/0.jpg")
    with pytest.raises(FetchError, match="not a regular file"):
        folder.image(link.image_url, {})


def test_formats_that_are_not_read_are_named(tmp_path: Path, eight: Path) -> None:
    for name in ("a.HEIC", "b.nef", "c.txt"):
        (eight / "Ruby" / name).write_bytes(b"x")
    (eight / "Ruby/d.jfif").write_bytes(jpeg(20))
    output = run_import(tmp_path, eight)
    assert "2 images in formats that are not read skipped: Ruby/a.HEIC, Ruby/b.nef" in output
    assert "1 file without an image suffix skipped: Ruby/c.txt" in output
    assert rows(tmp_path)["Ruby/d.jfif"]["status"] == "ok"


def test_many_names_are_cut(tmp_path: Path, eight: Path) -> None:
    for number in range(9):
        (eight / "Ruby" / f"{number}.txt").write_bytes(b"x")
    assert "9 files without an image suffix skipped: Ruby/0.txt" in (output := run_import(tmp_path, eight))
    assert "Ruby/4.txt and 4 more" in output and "Ruby/5.txt" not in output


@pytest.mark.parametrize("start", ["./", "/", ".//./", ""])
def test_a_zip_may_name_its_members_in_odd_ways(tmp_path: Path, start: str) -> None:
    archive = tmp_path / "own.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for number, name in enumerate(["Agate: blue/1.jpg", "x/Jade/1.jpg"]):
            file.writestr(start + name, jpeg(number))
    run_import(tmp_path, archive)
    classes = {name: row["store_classes"] for name, row in rows(tmp_path).items() if row["path"]}
    assert classes == {"Agate%3A%20blue/1.jpg": ["Agate: blue"], "x/Jade/1.jpg": ["Jade"]}


@pytest.mark.parametrize("name", ["./../Ruby/1.jpg", "C:\\Users\\Ruby\\1.jpg", "/./../Ruby/1.jpg"])
def test_a_member_that_leads_out_is_missing(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "own.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("Jade/1.jpg", jpeg(1))
        file.writestr(name, jpeg(2))
    output = run_import(tmp_path, archive, expect=4)
    assert "1 of 2 classes" in output and "its path leads out of the archive" in output
    assert "cp -rL" not in output


def test_links_into_a_cache_are_missing_and_the_remedy_is_named(tmp_path: Path, eight: Path) -> None:
    """As DVC and git-annex leave them: each file is a link to a cache elsewhere."""
    linked = tmp_path / "linked"
    (linked / "Ruby").mkdir(parents=True)
    for file in (eight / "Ruby").iterdir():
        (linked / "Ruby" / file.name).symlink_to(file)
    output = run_import(tmp_path, linked, expect=4)
    assert "8 of 8 images" in output and f"'cp -rL {linked} COPY'" in output
    copy = shutil.copytree(linked, tmp_path / "copy")
    run_import(tmp_path, copy)


def test_a_class_folder_that_is_a_link_outside_is_missing(tmp_path: Path, eight: Path) -> None:
    (eight / "Opal").symlink_to(tmp_path)
    output = run_import(tmp_path, eight, expect=4)
    assert "Opal: 1 page (a link that leads out of the folder)" in output and "cp -rL" in output


def test_a_class_of_files_that_are_no_images_is_missing(tmp_path: Path, eight: Path) -> None:
    (eight / "Jade").mkdir()
    for number in range(3):
        (eight / f"Jade/{number}.jpg").write_bytes(b"not an image")
    output = run_import(tmp_path, eight, expect=4)
    assert "1 of 2 classes" in output and "  Jade: 3 images (no image)" in output
