"""Import user-supplied data: folders of classes and splits, copies, names, and data that cannot be used."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gemkit.project import Project
from gemtrain.data.dataset import Dataset
from gemtrain.evaluation.evaluate import evaluate
from gemtrain.importers.import_dataset import import_dataset, safe_name
from gemtrain.recipe import load_settings
from gemtrain.report.summary import summary
from gemtrain.training.train import train
from tests.helpers.class_folders import CLASSES, class_folders, coloured_image, encoded, write
from tests.helpers.commands import called
from tests.helpers.imported_data import class_counts, each, refused
from tests.helpers.textures import make_dataset


@pytest.mark.parametrize("above", ["", "Images/"])
def test_class_folders_alone_are_split_by_hash(inline: Path, above: str) -> None:
    class_folders(inline / "My gems" / above, 20)
    (inline / "My gems/labels.csv").write_text("a,b")
    name, notes = import_dataset(Project(), "My gems")
    assert name == "My-gems"
    assert class_counts(name) == {"train": each(14), "validation": each(3), "test": each(3)}
    assert "42 training, 9 validation, 9 test images" in notes[0] and "drawn by hash" in notes[1]
    dataset = Dataset(Project(), name)
    dataset.check_leaks()
    assert dataset.varieties == list(CLASSES) and dataset.species == [None] * 3


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        ({"train": 20, "test": 5}, {"train": 17, "validation": 3, "test": 5}),
        ({"Train": 9, "valid": 4, "Test": 5}, {"train": 9, "validation": 4, "test": 5}),
        ({"data/training": 9, "data/dev": 4, "data/testing": 5}, {"train": 9, "validation": 4, "test": 5}),
        ({"train": 20}, {"train": 14, "validation": 3, "test": 3}),
    ],
)
def test_split_folders_are_used_and_missing_splits_are_drawn(
    inline: Path, folders: dict[str, int], expected: dict[str, int]
) -> None:
    for place, (folder, count) in enumerate(folders.items()):
        class_folders(inline / "gems" / folder, count, first=100 * place)
    import_dataset(Project(), "gems")
    assert class_counts("gems") == {split: each(count) for split, count in expected.items()}


def test_a_missing_test_split_is_drawn_from_training(inline: Path) -> None:
    class_folders(inline / "gems/train", 30)
    class_folders(inline / "gems/val", 30, first=100)
    import_dataset(Project(), "gems")
    found = class_counts("gems")
    assert found["test"] == each(4)
    assert found["train"] == each(26)
    assert found["validation"] == each(30)


def test_images_without_a_class_are_skipped_and_counted(inline: Path) -> None:
    class_folders(inline / "gems/train")
    class_folders(inline / "gems/test", first=50)
    class_folders(inline / "gems/.thumbnails", first=80)
    write(inline / "gems/loose.png", coloured_image(0, 900))
    write(inline / "gems/train/loose.png", coloured_image(0, 901))
    write(inline / "gems/more/trees/1.png", coloured_image(0, 902))
    notes = import_dataset(Project(), "gems")[1]
    assert "images not in a class folder (2), images outside the split folders (1)" in notes[-1]
    assert class_counts("gems")["test"] == each(7)


def test_copies_are_used_once_and_in_the_stronger_split(inline: Path) -> None:
    class_folders(inline / "gems/train", 9)
    class_folders(inline / "gems/test", 5, first=100)
    write(inline / "gems/train/trees/copy of test.bmp", coloured_image(2, 100), "BMP")
    write(inline / "gems/train/trees/twin.webp", coloured_image(2, 1))
    for variety in ("trees", "grassland"):
        write(inline / f"gems/train/{variety}/both.png", coloured_image(0, 500))
    notes = import_dataset(Project(), "gems")[1]
    assert any("several of its own splits (1)" in note for note in notes)
    assert "copies of others (2), images of several classes (2)" in notes[-1]
    found = class_counts("gems")
    assert found["test"] == each(5)
    assert {name: found["train"][name] + found["validation"][name] for name in CLASSES} == each(9)
    Dataset(Project(), "gems").check_leaks()


def test_unchanged_data_is_not_imported_again(inline: Path) -> None:
    class_folders(inline / "gems")
    notes = import_dataset(Project(), "gems")
    files = {path: path.stat().st_mtime_ns for path in Path(".cache/datasets/gems").iterdir()}
    assert import_dataset(Project(), str(inline / "gems")) == notes
    assert {path: path.stat().st_mtime_ns for path in Path(".cache/datasets/gems").iterdir()} == files
    write(inline / "gems/trees/new.png", coloured_image(2, 99))
    version = Dataset(Project(), "gems").version
    import_dataset(Project(), "gems")
    assert Dataset(Project(), "gems").version != version and sum(class_counts("gems")["train"].values()) > 15


def test_names_are_safe(inline: Path) -> None:
    assert safe_name(inline / "a b" / ".." / "ü/$x 1") == "x-1"
    (inline / "v1.2").mkdir()
    assert safe_name(inline / "v1.2") == "v1.2" and safe_name(inline / "sat-4.mat") == "sat-4"
    assert safe_name(Path("/")) == "dataset" and len(safe_name(Path("x" * 200))) == 60


def test_a_dataset_of_the_project_is_given_by_name(inline: Path) -> None:
    make_dataset("d1k")
    assert import_dataset(Project(), "d1k") == import_dataset(Project(), "data/datasets/d1k") == ("d1k", [])
    Path("data/datasets/d1k").rename("elsewhere")
    name, _ = import_dataset(Project(), "elsewhere")
    dataset = Dataset(Project(), name)
    assert dataset.species == dataset.varieties and dataset.splits["test"].groups[0] == "test 0 200"
    make_dataset("d1k")
    class_folders(inline / "mine/d1k")
    refused("has the same name", "mine/d1k")


@pytest.mark.heavy
def test_the_number_of_workers_changes_no_bytes_and_undecodable_images_are_named(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class_folders(here / "gems", 30)
    (here / "gems/trees/empty.png").touch()
    (here / "gems/trees/cut.png").write_bytes(encoded(coloured_image(0, 0))[:-300])
    write(here / "gems/trees/bomb.png", np.zeros((8001, 8000), bool))
    runs = []
    for workers in (1, 2):
        monkeypatch.setattr("gemkit.executor.local.worker_count", lambda workers=workers: workers)
        notes = import_dataset(Project(), "gems")[1]
        runs.append({path.name: path.read_bytes() for path in Path(".cache/datasets/gems").iterdir()})
        Path(".cache/datasets/gems/metadata.json").unlink()
    assert runs[0] == runs[1]
    assert "cannot be decoded (3)" in notes[-1] and "trees/cut.png: " in notes[-1]
    assert "trees/empty.png: the file is empty" in notes[-1] and "8000×8001 pixels" in notes[-1]


def test_unusable_data_is_an_error_of_one_sentence(inline: Path) -> None:
    refused("no dataset 'data/datasets/gems' and no file or folder 'gems'")
    (inline / "gems.zip").write_bytes(b"PK")
    refused("not a folder, a Parquet file or a .mat file", "gems.zip")
    gems = inline / "gems"
    gems.mkdir()
    refused("contains no image in a class folder")
    write(gems / "loose.png", coloured_image(0, 0))
    refused("contains no image in a class folder")
    write(gems / "ruby/1.png", coloured_image(0, 1))
    refused("1 class")
    write(gems / "topaz/1.png", coloured_image(1, 1))
    refused("'ruby' .1 images, none for train and validation.*'topaz'")
    for path in gems.rglob("*.png"):
        path.write_bytes(b"x")
    refused("none of its 2 images can be decoded .*ruby/1.png")
    class_folders(gems / "test", 5)
    refused("test images but none for training")


def test_classes_that_differ_between_the_splits(inline: Path) -> None:
    class_folders(inline / "gems/train", 9)
    class_folders(inline / "gems/test", 5, first=100)
    for number in range(4):
        write(inline / f"gems/test/Trees/{number}.png", coloured_image(2, 700 + number))
        write(inline / f"gems/train/water/{number}.png", coloured_image(2, 800 + number))
    refused(r"'Trees' \(4 images, none for train and validation\), 'water' \(4 images, none for test\)")


def test_too_many_undecodable_images_are_an_error(inline: Path) -> None:
    class_folders(inline / "gems")
    for number in range(6):
        (inline / f"gems/trees/undecodable{number}.jpg").write_bytes(b"\xff\xd8\xff")
    refused("6 of 27 images cannot be decoded, more than 1.*trees/undecodable0.jpg")


def test_train_and_evaluate_a_folder_of_tiffs(inline: Path) -> None:
    class_folders(inline / "UC Merced", 20, suffix="tif", kind="TIFF")
    name, _ = import_dataset(Project(), "UC Merced")
    recipe, seed = load_settings(Path("params.yaml"), "gemnet")
    train(Project(), name, recipe, seed, torch.device("cpu"))
    lines = summary(evaluate(Project(), name, "gemnet", torch.device("cpu")))
    assert lines[0].startswith("UC-Merced / gemnet: top-1") and "9 images of 9 groups" in lines[1]


def test_a_missing_path_is_an_error_of_one_sentence(here: Path) -> None:
    said = called("gemtrain", "train", "--dataset", "nowhere/x", "--recipe", "gemnet", cwd=here, expect=2)
    assert said.stderr.startswith("error: ") and said.stderr.count("\n") == 1
