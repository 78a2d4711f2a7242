"""Files of labelled pictures: names of classes, sources, and errors that name the line."""

from pathlib import Path

import pytest

from curation.content.labels import read_labels
from gemkit.errors import UserError


def labels(folder: Path, *lines: str, header: str = "file,label,note,source") -> Path:
    """A file of labels, with every picture that it names."""
    for line in lines:
        (folder / line.split(",")[0]).touch()
    file = folder / "labels.csv"
    file.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return file


def test_synonyms_are_classes_and_generated_pictures_are_left_out(tmp_path: Path) -> None:
    lines = (
        "a.jpg,stone,tweezers,x",
        "b.jpg,jewel,,x",
        "c.jpg,stone_ai,,x",
        "d.jpg,beads,,y",
        "e.jpg,cut,,y",
    )
    found = read_labels(labels(tmp_path, *lines))
    assert [(row.content, row.source) for row in found] == [
        ("cut", "x"), ("jewellery", "x"), ("beads", "y"), ("cut", "y")
    ]  # fmt: skip
    assert (found[0].note, found[0].path) == ("tweezers", tmp_path / "a.jpg")


def test_a_picture_without_source_is_its_own(tmp_path: Path) -> None:
    found = read_labels(labels(tmp_path, "a.jpg,hand", "b.jpg,hand", header="\ufefffile,label"))
    assert [row.source for row in found] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("picture,label\na.jpg,cut\n", "'file' and 'label'"),
        ("file,label\na.jpg,cut\ngone.jpg,cut\n", r"line 3: the picture '.*gone\.jpg' does not exist"),
        ("file,label\na.jpg,\n", r"line 2: the picture 'a\.jpg' has no label"),
        ("file,label\n,cut\n", "line 2"),
        ("file,label\na.jpg\n", "line 2.*no label"),
        ("file,label\na.jpg,cut\na.jpg,hand\n", "two labels"),
        ("", "'file' and 'label'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.jpg").touch()
    file = tmp_path / "labels.csv"
    file.write_text(text)
    with pytest.raises(UserError, match=words):
        read_labels(file)


def test_other_encodings_and_missing_files_are_errors(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    with pytest.raises(UserError, match="does not exist"):
        read_labels(file)
    file.write_bytes("file,label\ngrün.jpg,cut\n".encode("latin-1"))
    with pytest.raises(UserError, match="UTF-8"):
        read_labels(file)
