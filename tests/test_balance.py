"""Exactly the target, evenly used photos, orientations that tell nothing, colours untouched."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.balance import balance, make_plan
from curation.centre import cut_centre, decode_rgb, encode_jpeg, stored_side
from curation.orientations import Orientation, orient, orientations, pairs
from curation.params import DatasetParams
from curation.tables import CLEAN, CROPS, DATASET, SPLIT, SPLITS
from gemkit.errors import UserError
from gemkit.tables import read_table, table_files, write_table

SIZE = 32
PARAMS = """
crop: {size: 32}
balance:
  orientations: 16
  datasets:
    small: {kind: balanced, target: 40, minimum: 20}
    large: {kind: balanced, target: 80, minimum: 40}
    greedy: {kind: balanced, target: 9000, minimum: 9000}
    asis: {kind: plain}
"""
#: Training photos of each variety; colours far apart, and none of them grey.
VARIETIES = {"aquamarine": (12, (20, 140, 220)), "ruby": (50, (200, 20, 60)), "opal": (1, (220, 200, 30))}


def spread(counts: Counter, keys: range) -> int:
    return max(counts[key] for key in keys) - min(counts[key] for key in keys)


@settings(deadline=None)
@given(st.integers(1, 80), st.sampled_from([1, 2, 4, 8, 16]), st.data())
def test_any_beginning_of_the_pairs_is_balanced(photos: int, count: int, data: st.DataObject) -> None:
    every = list(pairs(photos, count))
    assert len(set(every)) == len(every) == photos * count
    first = every[: data.draw(st.integers(1, len(every)))]
    assert spread(Counter(photo for photo, _ in first), range(photos)) <= 1
    assert spread(Counter(turn for _, turn in first), range(count)) <= 1


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 300), st.integers(0, 300), st.sampled_from([8, 16]))
def test_a_class_gets_its_target_or_all_it_has(photos: int, target: int, more: int, count: int) -> None:
    rows = [
        {"sha256": f"{number:064x}", "group_id": f"{number % 7}", "variety": "ruby", "split": "train"}
        for number in range(photos)
    ]

    def pairs_of(goal: int) -> set[tuple[str, Orientation]]:
        plan = make_plan(rows, DatasetParams(target=goal, minimum=1), count)
        return {(sha256, turn) for sha256, turns in plan.uses.items() for turn in turns}

    smaller, larger = pairs_of(target), pairs_of(target + more)
    assert len(smaller) == min(target, photos * count)
    assert smaller <= larger


def test_every_group_is_used_before_any_is_used_twice() -> None:
    rows = [
        {"sha256": f"{number:064x}", "group_id": f"{number // 4}", "variety": "ruby", "split": "train"}
        for number in range(40)
    ]
    uses = make_plan(rows, DatasetParams(target=10, minimum=1), 16).uses
    assert len({row["group_id"] for row in rows if row["sha256"] in uses}) == 10


def test_orientations_are_distinct_turns_of_the_same_picture() -> None:
    rng = np.random.default_rng(0)
    side = stored_side(SIZE)
    noise = rng.integers(0, 256, (side, side, 3), np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    pictures = orient(smooth, SIZE, orientations(16))
    assert len({picture.tobytes() for picture in pictures}) == 16
    assert all(picture.shape == (SIZE, SIZE, 3) for picture in pictures)
    centre = cut_centre(smooth, SIZE)
    assert np.array_equal(orient(smooth, SIZE, [Orientation(90, False)])[0], np.rot90(centre))
    assert np.array_equal(orient(smooth, SIZE, [Orientation(180, True)])[0], np.rot90(centre[:, ::-1], 2))


def test_an_eighth_turn_is_counter_clockwise_about_the_centre() -> None:
    side = stored_side(SIZE)
    dot = np.zeros((side, side, 3), np.uint8)
    middle = (side - 1) / 2
    cv2.circle(dot, (round(middle + 10), round(middle)), 2, (255, 255, 255), -1)  # at three o'clock
    turned = orient(dot, SIZE, [Orientation(45, False)])[0][..., 0].astype(float)
    rows, columns = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    x, y = (turned * columns).sum() / turned.sum(), (turned * rows).sum() / turned.sum()
    right, below = round(middle + 10) - middle, round(middle) - middle
    assert np.hypot(x - (right + below) / 2**0.5, y - (below - right) / 2**0.5) < 0.2  # half past one
    twice = orient(dot, SIZE, [Orientation(90, False)])[0][..., 0]
    assert np.unravel_index(twice.argmax(), twice.shape)[0] < SIZE / 2 - 5


def test_no_corner_is_invented() -> None:
    side = stored_side(SIZE)
    rows, columns = np.mgrid[:side, :side]
    plane = np.stack([rows * 5, columns * 5, rows + columns + 40], axis=2).astype(np.uint8)
    for turn in orientations(16):
        angle = np.deg2rad(turn.rotation)
        y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
        source_x = np.cos(angle) * x - np.sin(angle) * y
        source_y = np.sin(angle) * x + np.cos(angle) * y
        source_x = -source_x if turn.mirrored else source_x
        middle = (side - 1) / 2
        expected = np.stack(
            [(source_y + middle) * 5, (source_x + middle) * 5, source_x + source_y + side - 1 + 40], axis=2
        )
        assert np.abs(orient(plane, SIZE, [turn])[0] - expected).max() < 4, turn


@pytest.fixture
def curated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with crops of three varieties, cleaned and split."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMS)
    rng = np.random.default_rng(1)
    clean, crops, split = [], [], []
    for variety, (training, colour) in VARIETIES.items():
        for number in range(training + 6):
            sha256 = hashlib.sha256(f"{variety} {number}".encode()).hexdigest()
            shade = rng.normal(0, 8, (stored_side(SIZE), stored_side(SIZE), 1))
            pixels = np.clip(np.array(colour) + shade, 0, 255).astype(np.uint8)
            side = "train" if number < training else SPLITS[1 + number % 2]
            common = {"sha256": sha256, "variety": variety, "group_id": sha256}
            clean.append({**common, "species": f"species of {variety}", "keep": True, "products": []})
            image = {"bytes": encode_jpeg(pixels), "path": f"{sha256}.jpg"}
            crops.append({"sha256": sha256, "image": image, "method": "mask"})
            split.append({**common, "split": side, "fold": 0})
    for name, rows, schema in (
        ("data/clean.parquet", clean, CLEAN),
        ("data/crops/00000.parquet", crops, CROPS),
        ("data/split.parquet", split, SPLIT),
    ):
        rows.sort(key=lambda row: row["sha256"])
        write_table(Path(name), pa.Table.from_pylist(rows, schema))
    return tmp_path


def dataset_rows(name: str) -> dict[str, list[dict]]:
    folder = Path("data/datasets") / name
    return {
        side: [
            row for file in sorted(folder.glob(f"{side}-*")) for row in read_table(file, DATASET).to_pylist()
        ]
        for side in SPLITS
    }


def test_a_balanced_dataset(curated: Path) -> None:
    summary = balance(Path("params.yaml"), "small")
    rows = dataset_rows("small")
    assert Counter(row["variety"] for row in rows["train"]) == {"aquamarine": 40, "ruby": 40}
    assert summary["excluded"] == {"opal": "1 training photos in 16 orientations make 16, fewer than 20"}
    described = json.loads(Path("data/datasets/small/classes.json").read_text())
    assert [entry["variety"] for entry in described["classes"]] == ["aquamarine", "ruby"]
    assert (described["dataset"], described["kind"], described["size"]) == ("small", "balanced", SIZE)
    for side in SPLITS:
        for row in rows[side]:
            assert described["classes"][row["label"]] == {
                "variety": row["variety"], "species": row["species"],
            }  # fmt: skip
    for variety in ("aquamarine", "ruby"):
        turns = Counter(
            (row["rotation"], row["mirrored"]) for row in rows["train"] if row["variety"] == variety
        )
        assert len(turns) == 16
        assert max(turns.values()) - min(turns.values()) <= 1
    for side in ("validation", "test"):
        assert all(row["rotation"] == 0 and not row["mirrored"] for row in rows[side])
        assert len(rows[side]) == 6
    groups = [{row["group_id"] for row in rows[side]} for side in SPLITS]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])


def test_colours_stay_as_they_are(curated: Path) -> None:
    balance(Path("params.yaml"), "small")
    for row in dataset_rows("small")["train"]:
        pixels = decode_rgb(row["image"]["bytes"])
        assert pixels.shape == (SIZE, SIZE, 3)
        colour = np.array(VARIETIES[row["variety"]][1])
        assert np.abs(pixels.mean(axis=(0, 1)) - colour).max() < 3


def test_the_smaller_dataset_is_part_of_the_larger_and_plain_is_as_it_is(curated: Path) -> None:
    for name in ("small", "large", "asis"):
        balance(Path("params.yaml"), name)

    def of(name: str) -> set[tuple]:
        keys = ("sha256", "rotation", "mirrored")
        return {tuple(row[key] for key in keys) for row in dataset_rows(name)["train"]}

    assert of("small") < of("large")
    rows = dataset_rows("asis")
    counts = Counter(row["variety"] for row in rows["train"])
    assert counts == {variety: count for variety, (count, _) in VARIETIES.items()}
    assert {row["rotation"] for row in rows["train"]} == {0}
    table = Path("plots/asis/classes.csv").read_text().splitlines()
    assert table[0] == "class,split,images"
    assert "ruby,train,50" in table
    metrics = json.loads(Path("metrics/asis/dataset.json").read_text())
    assert metrics["classes"]["ruby"] == {
        "photos": 56, "groups": 56, "train": 50, "validation": 3, "test": 3,
    }  # fmt: skip


def test_the_same_bytes_whatever_the_number_of_workers(
    curated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def content() -> list[bytes]:
        balance(Path("params.yaml"), "small")
        return [file.read_bytes() for file in table_files(Path("data/datasets/small"))]

    several = content()
    monkeypatch.setattr("gemkit.parallel.worker_count", lambda: 1)
    assert content() == several


def test_shards_hold_no_more_rows_than_they_may(curated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curation.shards.SHARD_ROWS", 30)
    balance(Path("params.yaml"), "small")
    files = sorted(Path("data/datasets/small").glob("train-*"))
    assert [file.name for file in files] == [f"train-{index:05d}.parquet" for index in range(3)]
    assert [read_table(file, DATASET).num_rows for file in files] == [30, 30, 20]


def test_bad_input_is_one_sentence(curated: Path) -> None:
    with pytest.raises(UserError, match=r"no dataset 'd9k'.*small"):
        balance(Path("params.yaml"), "d9k")
    with pytest.raises(UserError, match="would have 0 of the two classes"):
        balance(Path("params.yaml"), "greedy")
    split = read_table(Path("data/split.parquet"), SPLIT).to_pylist()
    without = [row for row in split if (row["variety"], row["split"]) != ("ruby", "test")]
    write_table(Path("data/split.parquet"), pa.Table.from_pylist(without, SPLIT))
    with pytest.raises(UserError, match="'ruby' has no test image"):
        balance(Path("params.yaml"), "small")
    write_table(Path("data/split.parquet"), pa.Table.from_pylist(split, SPLIT))
    crops = read_table(Path("data/crops"), CROPS)
    write_table(Path("data/crops/00000.parquet"), crops.slice(0, 3).cast(CROPS))
    with pytest.raises(UserError, match="lacks image"):
        balance(Path("params.yaml"), "small")
    write_table(Path("data/crops/00000.parquet"), crops.cast(CROPS))
    Path("params.yaml").write_text(PARAMS.replace("size: 32", "size: 48"))
    with pytest.raises(UserError, match=r"not made for 'crop.size' 48"):
        balance(Path("params.yaml"), "small")
    assert not list(Path("data/datasets").glob("*"))
