"""A user's pictures teach the head their own kind, and it is written only if it gains."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from curation.content.fit import Examples
from curation.content.head import Head, head_file, read_head
from curation.content.labels import CONTENT_CLASSES
from curation.content.refit import refit
from gemkit.errors import UserError
from gemkit.project import Project
from tests.helpers.commands import command
from tests.helpers.measured_shop import faceted_stone


def strung_beads(seed: int) -> np.ndarray:
    """Beads on a string, on white."""
    random = np.random.default_rng(seed)
    pixels = np.full((120, 120, 3), 250, np.uint8)
    colour = random.integers(20, 200, 3).tolist()
    for angle in np.linspace(0, 2 * np.pi, 14):
        centre = (60 + 42 * np.array([np.cos(angle), np.sin(angle)])).round().astype(int).tolist()
        cv2.circle(pixels, centre, int(random.integers(7, 10)), colour, -1)
    return pixels


def write_labels(folder: Path, pictures: list[tuple[np.ndarray, str, str]]) -> Path:
    """A file of labels of pictures with class and source."""
    lines = ["file,label,source"]
    for number, (pixels, label, source) in enumerate(pictures):
        cv2.imwrite(str(folder / f"{number}.png"), pixels)
        lines.append(f"{number}.png,{label},{source}")
    file = folder / "labels.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def beads_and_stones(shops: int = 5) -> list[tuple[np.ndarray, str, str]]:
    """Two strings of beads and a stone from each shop."""
    return [
        (
            strung_beads(seed) if seed % 3 else faceted_stone(seed, 120),
            "beads" if seed % 3 else "cut",
            f"shop {shop}",
        )
        for shop in range(shops)
        for seed in range(3 * shop, 3 * shop + 3)
    ]


@pytest.mark.heavy
def test_a_class_of_the_users_own_is_learnt(workspace: Path) -> None:
    labels = write_labels(workspace, beads_and_stones())
    said = command("gemcurate", "content", "fit", "--labels", str(labels), cwd=workspace).stdout
    assert "beads" in said and "content_head.npz" in said
    project = Project(workspace)
    assert read_head(head_file(project)).classes == (*CONTENT_CLASSES, "beads")
    written = project.content_head.read_bytes()
    summary = refit(project, labels)
    assert (summary.pictures, summary.sources, summary.own_classes) == (15, 5, ["beads"])
    assert summary.right.after > summary.right.before
    assert summary.log_loss.after < summary.log_loss.before
    assert summary.classes["beads"].pictures == 10
    assert summary.classes["beads"].before == 0 and summary.classes["beads"].after > 0.8
    assert summary.written == project.content_head and project.content_head.read_bytes() == written


@pytest.mark.heavy
def test_a_head_that_gains_nothing_is_not_written(home: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def know_nothing(examples: Examples, classes: tuple[str, ...], start: Head) -> np.ndarray:
        return np.full((len(examples.content), len(classes)), 1 / len(classes))

    monkeypatch.setattr("curation.content.refit.out_of_fold", know_nothing)
    pictures = [(faceted_stone(seed, 120), "cut", f"shop {seed}") for seed in range(5)]
    pictures += [(np.full((120, 120, 3), 255, np.uint8), "no_stone", "shop 5")]
    summary = refit(home, write_labels(home.root, pictures))
    assert summary.log_loss.after > summary.log_loss.before
    assert summary.log_loss.difference.value > 0
    assert summary.written is None and not home.content_head.exists()


@pytest.mark.parametrize(
    ("pictures", "words"),
    [
        ([("cut", "a"), ("hand", "b")], "2 sources and 2 classes"),
        ([("cut", source) for source in "abcdef"], "6 sources and 1 classes"),
        ([("cut", "a"), ("sharks", "b"), ("hand", "c")], "1 pictures of the class 'sharks'"),
    ],
)
def test_too_few_pictures_are_an_error(tmp_path: Path, pictures: list[tuple[str, str]], words: str) -> None:
    file = write_labels(tmp_path, [(faceted_stone(1, 16), label, source) for label, source in pictures])
    with pytest.raises(UserError, match=words):
        refit(Project(tmp_path), file)


@pytest.mark.heavy
def test_a_picture_that_cannot_be_decoded_is_named(home: Project) -> None:
    pictures = [(faceted_stone(seed, 32), ("cut", "hand")[seed % 2], f"shop {seed}") for seed in range(6)]
    file = write_labels(home.root, pictures)
    (home.root / "3.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"3\.png.*no usable picture"):
        refit(home, file)
