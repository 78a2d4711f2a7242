"""Data of one's own becomes a dataset: folders, Parquet, .mat files, and what strangers' files are like."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat
from typer.testing import CliRunner

from gemkit.errors import UserError
from gemtrain.cli import app
from gemtrain.data.dataset import Dataset, Split
from gemtrain.evaluation.evaluate import evaluate
from gemtrain.importers.assign_splits import Picture, assign
from gemtrain.importers.import_dataset import import_dataset, safe_name
from gemtrain.model_store import read_model
from gemtrain.recipe import load_settings
from gemtrain.scoring.model_outputs import predict
from gemtrain.training.train import train
from tests.helpers.class_folders import CLASSES, COLOURS, class_folders, encoded, picture, write
from tests.helpers.commands import command
from tests.helpers.textures import make_dataset, write_params


def sides(name: str) -> dict[str, Counter[str]]:
    return {side: Counter(split.varieties) for side, split in Dataset(name).splits.items()}


def each(count: int) -> Counter[str]:
    return Counter(dict.fromkeys(CLASSES, count))


def refused(match: str, path: str = "gems") -> None:
    with pytest.raises(UserError, match=match) as error:
        import_dataset(path)
    assert "\n" not in str(error.value)
    assert not Path(".cache/datasets", path).exists()


# Layouts


@pytest.mark.parametrize("above", ["", "Images/"])
def test_class_folders_alone_are_split_by_hash(inline: Path, above: str) -> None:
    class_folders(inline / "My gems" / above, 20)
    (inline / "My gems/labels.csv").write_text("a,b")
    name, notes = import_dataset("My gems")
    assert name == "My-gems"
    assert sides(name) == {"train": each(14), "validation": each(3), "test": each(3)}
    assert "42 training, 9 validation, 9 test images" in notes[0] and "drawn by hash" in notes[1]
    dataset = Dataset(name)
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
def test_folders_of_sides_are_kept_and_what_is_missing_is_drawn(
    inline: Path, folders: dict[str, int], expected: dict[str, int]
) -> None:
    for place, (folder, count) in enumerate(folders.items()):
        class_folders(inline / "gems" / folder, count, first=100 * place)
    import_dataset("gems")
    assert sides("gems") == {side: each(count) for side, count in expected.items()}


def test_a_missing_test_side_is_drawn_from_training(inline: Path) -> None:
    class_folders(inline / "gems/train", 30)
    class_folders(inline / "gems/val", 30, first=100)
    import_dataset("gems")
    found = sides("gems")
    assert found["test"] == each(4)
    assert found["train"] == each(26)
    assert found["validation"] == each(30)


def test_what_belongs_to_no_class_is_passed_over_and_counted(inline: Path) -> None:
    class_folders(inline / "gems/train")
    class_folders(inline / "gems/test", first=50)
    class_folders(inline / "gems/.thumbnails", first=80)
    write(inline / "gems/loose.png", picture(0, 900))
    write(inline / "gems/train/loose.png", picture(0, 901))
    write(inline / "gems/more/trees/1.png", picture(0, 902))
    notes = import_dataset("gems")[1]
    assert "images beside the folders of the sides (1), images in no class folder (2)" in notes[-1]
    assert sides("gems")["test"] == each(7)


def test_copies_are_used_once_and_on_the_stronger_side(inline: Path) -> None:
    class_folders(inline / "gems/train", 9)
    class_folders(inline / "gems/test", 5, first=100)
    write(inline / "gems/train/trees/copy of test.bmp", picture(2, 100), "BMP")
    write(inline / "gems/train/trees/twin.webp", picture(2, 1))
    for variety in ("trees", "grassland"):
        write(inline / f"gems/train/{variety}/both.png", picture(0, 500))
    notes = import_dataset("gems")[1]
    assert any("several of its own splits (1)" in note for note in notes)
    assert "copies of others (2), images of several classes (2)" in notes[-1]
    found = sides("gems")
    assert found["test"] == each(5)
    assert {name: found["train"][name] + found["validation"][name] for name in CLASSES} == each(9)
    Dataset("gems").check_leaks()


def test_unchanged_data_is_not_taken_in_again(inline: Path) -> None:
    class_folders(inline / "gems")
    notes = import_dataset("gems")
    files = {path: path.stat().st_mtime_ns for path in Path(".cache/datasets/gems").iterdir()}
    assert import_dataset(str(inline / "gems")) == notes
    assert {path: path.stat().st_mtime_ns for path in Path(".cache/datasets/gems").iterdir()} == files
    write(inline / "gems/trees/new.png", picture(2, 99))
    version = Dataset("gems").version
    import_dataset("gems")
    assert Dataset("gems").version != version and sum(sides("gems")["train"].values()) > 15


def test_names_are_safe(inline: Path) -> None:
    assert safe_name(inline / "a b" / ".." / "ü/$x 1") == "x-1"
    (inline / "v1.2").mkdir()
    assert safe_name(inline / "v1.2") == "v1.2" and safe_name(inline / "sat-4.mat") == "sat-4"
    assert safe_name(Path("/")) == "dataset" and len(safe_name(Path("x" * 200))) == 60


def test_a_dataset_of_the_project_goes_by_its_name(inline: Path) -> None:
    make_dataset("d1k")
    assert import_dataset("d1k") == import_dataset("data/datasets/d1k") == ("d1k", [])
    Path("data/datasets/d1k").rename("elsewhere")
    name, _ = import_dataset("elsewhere")
    dataset = Dataset(name)
    assert dataset.species == dataset.varieties and dataset.splits["test"].groups[0] == "test 0 200"
    make_dataset("d1k")
    class_folders(inline / "mine/d1k")
    refused("share its name", "mine/d1k")


# Workers


def test_the_same_bytes_whatever_the_workers_and_the_broken_named(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class_folders(here / "gems", 30)
    (here / "gems/trees/empty.png").touch()
    (here / "gems/trees/cut.png").write_bytes(encoded(picture(0, 0))[:-300])
    write(here / "gems/trees/bomb.png", np.zeros((8001, 8000), bool))
    runs = []
    for workers in (1, 2):
        monkeypatch.setattr("gemkit.executor.local.worker_count", lambda workers=workers: workers)
        notes = import_dataset("gems")[1]
        runs.append({path.name: path.read_bytes() for path in Path(".cache/datasets/gems").iterdir()})
        Path(".cache/datasets/gems/about.json").unlink()
    assert runs[0] == runs[1]
    assert "cannot be decoded (3)" in notes[-1] and "trees/cut.png: " in notes[-1]
    assert "trees/empty.png: the file is empty" in notes[-1] and "8000×8001 pixels" in notes[-1]


# Parquet


def write_parquet(
    path: Path,
    labels: list[Any],
    images: list[bytes | None],
    names: tuple[str, str] = ("image", "label"),
    classes: list[str] | None = None,
    plain: bool = False,
    **more: list[Any],
) -> None:
    column = images if plain else [{"bytes": image, "path": None} for image in images]
    table = pa.table({names[0]: column, names[1]: labels, **more})
    if classes:
        features = {names[0]: {"_type": "Image"}, names[1]: {"_type": "ClassLabel", "names": classes}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def rows(count: int, first: int = 0) -> tuple[list[int], list[bytes | None]]:
    labels = [number % 3 for number in range(3 * count)]
    return labels, [encoded(picture(label, first + n // 3)) for n, label in enumerate(labels)]


def test_parquet_of_hugging_face(inline: Path) -> None:
    for file, (count, first) in {
        "data/train-00000-of-00002": (4, 0),
        "data/train-00001-of-00002": (4, 100),
        "data/validation-00000-of-00001": (2, 200),
        "data/test-00000-of-00001": (3, 300),
        "data/extra-00000-of-00001": (1, 400),
    }.items():
        labels, images = rows(count, first)
        write_parquet(inline / f"gems/{file}.parquet", labels, images, ("img", "fine_label"), list(CLASSES))
    write(inline / "gems/assets/preview.png", picture(0, 999))
    notes = import_dataset("gems")[1]
    assert sides("gems") == {"train": each(8), "validation": each(2), "test": each(3)}
    assert "images in files of no side (3)" in notes[-1]
    split = Split("gems", "test")
    variety = split.varieties[0]
    assert np.abs(split.pixels(28)[0].numpy().mean((0, 1)) - COLOURS[CLASSES.index(variety), :3]).max() < 5


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda label: CLASSES[label], list(CLASSES)),
        (lambda label: 5 * label, ["00", "05", "10"]),
        (lambda label: ("no", "yes", "no")[label] == "yes", ["False", "True"]),
    ],
)
def test_a_parquet_file_of_plain_columns(inline: Path, make: Callable[[int], Any], names: list[str]) -> None:
    labels, images = rows(7)
    write_parquet(inline / "gems.parquet", [make(n) for n in labels], images, plain=True, id=labels)
    assert import_dataset("gems.parquet")[0] == "gems"
    assert Dataset("gems").varieties == names


def test_rows_without_label_or_image_are_counted(inline: Path) -> None:
    labels, images = rows(7)
    hidden = [-1, *labels[1:]]
    write_parquet(inline / "gems.parquet", hidden, [*images[:-1], None], classes=list(CLASSES))
    notes = import_dataset("gems.parquet")[1]
    assert "images without a label (1)" in notes[-2]
    assert "gems.parquet row 20: the file is empty" in notes[-1]


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ({"image": [b"x"], "coarse": ["a"], "kind": ["b"]}, "label column could be any of coarse, kind"),
        ({"image": [b"x"], "label": [0.5]}, "label column is not there"),
        ({"a": [b"x"], "b": [b"y"], "label": [1]}, "image column could be any of a, b"),
        ({"text": ["x"], "label": [1]}, "image column is not there"),
    ],
)
def test_parquet_whose_columns_are_unclear(inline: Path, columns: dict[str, Any], match: str) -> None:
    pq.write_table(pa.table(columns), inline / "gems.parquet")
    refused(match, "gems.parquet")


# .mat


def write_mat(path: Path, train: int = 30, test: int = 12, turned: bool = False, **changes: Any) -> None:
    content: dict[str, Any] = {}
    for side, count in (("train", train), ("test", test)):
        if count:
            labels = np.arange(count) % 3
            first = 0 if side == "train" else 1000
            images = [picture(label, first + n, bands=4) for n, label in enumerate(labels)]
            content[f"{side}_x"] = np.stack(images, axis=-1)
            marks = np.eye(3, dtype=np.uint8)[:, labels]
            content[f"{side}_y"] = marks.T if turned else marks
    vectors = [",".join(str(int(n == place)) for n in range(3)) for place in range(3)]
    content["annotations"] = np.array(list(zip(vectors, CLASSES, strict=True))[::-1], object)
    content |= changes
    savemat(path, {key: value for key, value in content.items() if value is not None}, do_compression=True)


@pytest.mark.parametrize("turned", [False, True])
def test_sat_files(inline: Path, turned: bool) -> None:
    write_mat(inline / "sat-3.mat", turned=turned)
    assert import_dataset("sat-3.mat")[0] == "sat-3"
    assert sides("sat-3") == {"train": each(8), "validation": each(2), "test": each(4)}
    split = Split("sat-3", "test")
    pixels, row = split.pixels(28, 4).numpy(), split.varieties.index("trees")
    assert any(np.array_equal(pixels[row], picture(2, 1000 + n, bands=4)) for n in range(12))
    assert np.array_equal(split.pixels(28).numpy(), pixels[..., :3])


def test_sat_files_without_names_or_test(inline: Path) -> None:
    write_mat(inline / "sat.mat", test=0, annotations=None)
    import_dataset("sat.mat")
    assert Dataset("sat").varieties == ["class 1", "class 2", "class 3"]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"train_x": None}, "holds annotations, test_x, test_y, train_y; it must hold 'train_x'"),
        ({"train_x": np.zeros((28, 28, 30), np.uint8)}, r"'train_x' is of shape \[28, 28, 30\]"),
        ({"train_y": np.ones((3, 30))}, "'train_y' .* a single 1"),
        ({"train_x": np.zeros((28, 28, 4, 30))}, "must be uint8 .*float64"),
    ],
)
def test_mat_files_that_are_laid_out_otherwise(inline: Path, changes: dict[str, Any], match: str) -> None:
    write_mat(inline / "sat.mat", **changes)
    refused(match, "sat.mat")


def test_mat_files_that_cannot_be_read(inline: Path) -> None:
    write_mat(inline / "sat.mat")
    content = (inline / "sat.mat").read_bytes()
    (inline / "sat.mat").write_bytes(content[:3000])
    refused("holds train_x; it must hold", "sat.mat")
    (inline / "sat.mat").write_bytes(content[:200])
    refused("no complete MATLAB file", "sat.mat")
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    (inline / "sat.mat").write_bytes(header + b"\x89HDF\r\n\x1a\n" + bytes(600))
    refused("7.3.*'-v7'", "sat.mat")


# Bad input


def test_what_cannot_be_learnt_from_is_said_in_a_sentence(inline: Path) -> None:
    refused("no dataset 'data/datasets/gems' and nothing lies at 'gems'")
    (inline / "gems.zip").write_bytes(b"PK")
    refused("no folder, no Parquet", "gems.zip")
    gems = inline / "gems"
    gems.mkdir()
    refused("holds no image in a class folder")
    write(gems / "loose.png", picture(0, 0))
    refused("holds no image in a class folder")
    write(gems / "ruby/1.png", picture(0, 1))
    refused("1 class")
    write(gems / "topaz/1.png", picture(1, 1))
    refused("'ruby' .1 images, none for train and validation.*'topaz'")
    for path in gems.rglob("*.png"):
        path.write_bytes(b"x")
    refused("none of its 2 images can be decoded .*ruby/1.png")
    class_folders(gems / "test", 5)
    refused("test images but none for training")


def test_classes_that_differ_between_the_sides(inline: Path) -> None:
    class_folders(inline / "gems/train", 9)
    class_folders(inline / "gems/test", 5, first=100)
    for number in range(4):
        write(inline / f"gems/test/Trees/{number}.png", picture(2, 700 + number))
        write(inline / f"gems/train/water/{number}.png", picture(2, 800 + number))
    refused(r"'Trees' \(4 images, none for train and validation\), 'water' \(4 images, none for test\)")


def test_many_broken_images_stop(inline: Path) -> None:
    class_folders(inline / "gems")
    for number in range(6):
        (inline / f"gems/trees/broken{number}.jpg").write_bytes(b"\xff\xd8\xff")
    refused("6 of 27 images cannot be decoded, more than 1.*trees/broken0.jpg")


# SplitAssignment, in general

SIDES = ("train", "validation", "test")


@st.composite
def collections(draw: st.DrawFn) -> list[Picture]:
    known = draw(
        st.sampled_from([[None], ["train"], ["train", "test"], ["train", "validation"], list(SIDES)])
    )
    one = st.tuples(st.sampled_from("abc"), st.sampled_from(known), st.integers(0, 60))
    return [Picture(name, side, bytes([number])) for name, side, number in draw(st.lists(one, max_size=120))]


@settings(deadline=None, max_examples=200)
@given(collections(), st.randoms(use_true_random=False))
def test_no_picture_is_on_two_sides(pictures: list[Picture], random: Any) -> None:
    try:
        found = assign(pictures, "x")
    except UserError:
        return
    used = [(picture, side) for picture, side in zip(pictures, found.sides, strict=True) if side]
    assert len({picture.pixel_hash for picture, _ in used}) == len(used)
    assert len(pictures) == len(used) + found.copies + found.contradicting
    classes = {picture.variety for picture, _ in used}
    assert {(picture.variety, side) for picture, side in used} == {(c, s) for c in classes for s in SIDES}
    for kept, side in used:
        copies = [picture for picture in pictures if picture.pixel_hash == kept.pixel_hash]
        assert {picture.variety for picture in copies} == {kept.variety}
        if "test" not in found.drawn:  # what the data tests on is tested on, and nothing else
            assert (side == "test") == any(picture.side == "test" for picture in copies)
    shuffled = list(pictures)
    random.shuffle(shuffled)
    again = zip(shuffled, assign(shuffled, "x").sides, strict=True)
    assert {picture.pixel_hash: side for picture, side in again if side} == {
        picture.pixel_hash: side for picture, side in used
    }


@given(st.integers(3, 400), st.integers(0, 5))
@settings(deadline=None, max_examples=60)
def test_shares_of_drawn_sides(count: int, seed: int) -> None:
    pictures = [Picture(name, None, f"{seed} {name} {n}".encode()) for name in "ab" for n in range(count)]
    found = assign(pictures, "x").sides
    one = Counter(found[:count])
    assert abs(one["test"] - 0.15 * count) <= 1 and abs(one["validation"] - 0.15 * count) <= 1
    more = [*pictures, *(Picture("c", None, f"c {n}".encode()) for n in range(9))]
    assert assign(more, "x").sides[: 2 * count] == found


# From end to end


def test_train_and_evaluate_a_sat_file(here: Path) -> None:
    write_mat(here / "sat-3.mat", 60, 30)
    found = "MATLAB file of 3 classes, 51 training, 9 validation, 30 test images"
    for verb, said in (("train", "sat-3/gemnet: "), ("evaluate", "sat-3 / gemnet: top-1")):
        done = CliRunner().invoke(app, [verb, "--dataset", "sat-3.mat", "--recipe", "gemnet"])
        assert done.exit_code == 0 and found in done.stdout and said in done.stdout
    assert json.loads(Path("metrics/sat-3/gemnet.json").read_text())["test_images"] == 30


def test_the_fourth_band_is_learnt_where_the_recipe_says_so(inline: Path) -> None:
    write_params(gemnet={"image_size": 34, "max_steps": 2, "channels": 4})
    write_mat(inline / "sat-3.mat")
    recipe, seed = load_settings(Path("params.yaml"), "gemnet")
    train(import_dataset("sat-3.mat")[0], "gemnet", recipe, seed, torch.device("cpu"))
    model, _ = read_model("sat-3", "gemnet")
    pixels = Split("sat-3", "test").pixels(34, 4)
    assert predict(model, pixels, torch.device("cpu"))[0].shape == (12, 3)


def test_train_and_evaluate_a_folder_of_tiffs(inline: Path) -> None:
    class_folders(inline / "UC Merced", 20, suffix="tif", kind="TIFF")
    name, _ = import_dataset("UC Merced")
    recipe, seed = load_settings(Path("params.yaml"), "gemnet")
    train(name, "gemnet", recipe, seed, torch.device("cpu"))
    lines = evaluate(name, "gemnet", torch.device("cpu"))
    assert lines[0].startswith("UC-Merced / gemnet: top-1") and "9 photos of 9 groups" in lines[1]


def test_a_path_where_nothing_lies_ends_in_a_sentence(here: Path) -> None:
    said = command("gemtrain", "train", "--dataset", "nowhere/x", "--recipe", "gemnet", cwd=here, expect=2)
    assert said.stderr.startswith("error: ") and said.stderr.count("\n") == 1
