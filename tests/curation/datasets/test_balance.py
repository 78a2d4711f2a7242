"""Each class gets its exact target from evenly used source images; validation and test stay unchanged."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.cropping.params import CropParams, CropSettings
from curation.datasets.balance import balance
from curation.datasets.orientations import Orientation, orientations
from curation.datasets.params import DatasetParams, read_dataset
from curation.datasets.plan import make_plan
from curation.datasets.records import SplitImage
from curation.imaging.centre_crop import cut_centre, stored_side
from curation.tables import CROPS, DATASET, SPLIT, SPLITS
from gemkit.errors import UserError
from gemkit.executor.local import map_shards
from gemkit.image_codec import decode_rgb, encode_jpeg
from gemkit.project import Project
from gemkit.tables import read_table, table_files, write_table
from tests.helpers.stored_crops import Crop, dataset_rows, write_crops

SIZE = 32
CROP = CropSettings(version=3, size=SIZE)
DATASETS = {
    "small": DatasetParams(target=40, minimum=20),
    "large": DatasetParams(target=80, minimum=40),
    "greedy": DatasetParams(target=9000, minimum=9000),
    "asis": DatasetParams(kind="plain"),
}
#: Training images of each variety, in colours that are far apart and not grey.
VARIETIES = {"aquamarine": (12, (20, 140, 220)), "ruby": (50, (200, 20, 60)), "opal": (1, (220, 200, 30))}


def spread(counts: Counter, keys: Iterable) -> int:
    return max(counts[key] for key in keys) - min(counts[key] for key in keys)


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 300), st.integers(0, 300), st.sampled_from([8, 16]))
def test_a_class_gets_its_target_or_all_it_has(sources: int, target: int, more: int, count: int) -> None:
    rows = [SplitImage(f"{number:064x}", f"{number % 7}", "ruby", "train", 0) for number in range(sources)]

    def pairs_of(goal: int) -> set[tuple[str, Orientation]]:
        plan = make_plan(rows, DatasetParams(target=goal, minimum=1), count)
        return {(sha256, turn) for sha256, turns in plan.augmented_views.items() for turn in turns}

    smaller, larger = pairs_of(target), pairs_of(target + more)
    assert len(smaller) == min(target, sources * count)
    assert smaller <= larger


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=12),
    st.floats(0, 1),
    st.sampled_from([1, 2, 4, 8, 16]),
)
def test_extra_views_go_round_the_groups_smallest_first(sizes: list[int], share: float, count: int) -> None:
    rows = [
        SplitImage(f"{group}-{member}", str(group), "ruby", "train", 0)
        for group, size in enumerate(sizes)
        for member in range(size)
    ]
    target = max(1, round(share * len(rows) * count))
    views = make_plan(rows, DatasetParams(target=target, minimum=1), count).augmented_views
    every, one_more = divmod(target, len(rows))
    counts = Counter({row.sha256: len(views.get(row.sha256, ())) - every for row in rows})
    assert set(counts.values()) <= {0, 1}
    extra = [sum(counts[f"{group}-{member}"] for member in range(size)) for group, size in enumerate(sizes)]
    assert sum(extra) == one_more
    with_more_left = [more for more, size in zip(extra, sizes, strict=True) if more < size]
    assert max(extra) <= min(with_more_left, default=12) + 1
    spared = [size for more, size in zip(extra, sizes, strict=True) if not more]
    served = [size for more, size in zip(extra, sizes, strict=True) if more]
    assert not served or not spared or max(served) <= min(spared), "the smallest groups come first"
    turns = Counter(turn for chosen in views.values() for turn in chosen)
    assert spread(turns, orientations(count)) <= 1


@settings(deadline=None)
@given(st.lists(st.sampled_from(SPLITS), min_size=1, max_size=60), st.integers(1, 200))
def test_only_training_images_are_augmented(splits: list[str], target: int) -> None:
    rows = [
        SplitImage(f"{number:03}", f"{number:03}", "ruby", split, 0) for number, split in enumerate(splits)
    ]
    plan = make_plan(rows, DatasetParams(target=target, minimum=1), 16)
    for row in rows:
        if row.split != "train":
            assert plan.augmented_views.get(row.sha256, []) == (
                [Orientation(0, False)] if plan.classes else []
            )


def coloured_noise() -> Iterator[Crop]:
    rng = np.random.default_rng(1)
    for variety, (training, colour) in VARIETIES.items():
        for number in range(training + 6):
            shade = rng.normal(0, 8, (stored_side(SIZE), stored_side(SIZE), 1))
            split = "train" if number < training else SPLITS[1 + number % 2]
            pixels = np.clip(np.array(colour) + shade, 0, 255).astype(np.uint8)
            yield variety, f"{variety} {number}", split, pixels


@pytest.fixture
def curated(home: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with crops of three varieties, cleaned and split; images are rendered in this process."""
    monkeypatch.setattr("curation.datasets.balance.map_shards", map)
    write_crops(home, coloured_noise(), CROP.model_dump_json())
    return home


def test_a_balanced_dataset(curated: Project) -> None:
    summary = balance(curated, "small", DATASETS["small"])
    rows = dataset_rows(curated, "small")
    assert Counter(row["variety"] for row in rows["train"]) == {"aquamarine": 40, "ruby": 40}
    assert summary.excluded == {"opal": "1 training image in 16 orientations makes 16, fewer than 20"}
    described = json.loads((curated.dataset("small") / "classes.json").read_text())
    assert [entry["variety"] for entry in described["classes"]] == ["aquamarine", "ruby"]
    assert (described["dataset"], described["kind"], described["size"]) == ("small", "balanced", SIZE)
    for split in SPLITS:
        for row in rows[split]:
            assert described["classes"][row["label"]] == {
                "variety": row["variety"], "species": row["species"],
            }  # fmt: skip
    for variety in ("aquamarine", "ruby"):
        turns = Counter(
            (row["rotation"], row["mirrored"]) for row in rows["train"] if row["variety"] == variety
        )
        assert len(turns) == 16
        assert max(turns.values()) - min(turns.values()) <= 1
    for split in ("validation", "test"):
        assert all(row["rotation"] == 0 and not row["mirrored"] for row in rows[split])
        assert len(rows[split]) == 6
    groups = [{row["group_id"] for row in rows[split]} for split in SPLITS]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])


def test_validation_and_test_images_are_unchanged(curated: Project) -> None:
    balance(curated, "small", DATASETS["small"])
    crops = {row["sha256"]: row["image"]["bytes"] for row in read_table(curated.crops, CROPS).to_pylist()}
    rows = dataset_rows(curated, "small")
    for split in ("validation", "test"):
        assert len({row["sha256"] for row in rows[split]}) == len(rows[split])
        for row in rows[split]:
            centre = cut_centre(decode_rgb(crops[row["sha256"]]), SIZE)
            assert row["image"]["bytes"] == encode_jpeg(centre)


def test_the_smaller_dataset_is_a_subset_and_plain_is_not_augmented(curated: Project) -> None:
    for name in ("small", "large", "asis"):
        balance(curated, name, DATASETS[name])

    def of(name: str) -> set[tuple]:
        keys = ("sha256", "rotation", "mirrored")
        return {tuple(row[key] for key in keys) for row in dataset_rows(curated, name)["train"]}

    assert of("small") < of("large")
    rows = dataset_rows(curated, "asis")
    counts = Counter(row["variety"] for row in rows["train"])
    assert counts == {variety: count for variety, (count, _) in VARIETIES.items()}
    assert {row["rotation"] for row in rows["train"]} == {0}
    table = (curated.plots / "asis/classes.csv").read_text().splitlines()
    assert table[0] == "class,split,images"
    assert "ruby,train,50" in table
    metrics = json.loads((curated.metrics / "asis/dataset.json").read_text())
    assert metrics["classes"]["ruby"] == {
        "photos": 56, "groups": 56, "train": 50, "validation": 3, "test": 3,
    }  # fmt: skip


@pytest.mark.heavy
def test_the_bytes_do_not_depend_on_the_number_of_workers(
    curated: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def content() -> list[bytes]:
        balance(curated, "small", DATASETS["small"])
        return [file.read_bytes() for file in table_files(curated.dataset("small"))]

    monkeypatch.setattr("curation.datasets.balance.map_shards", map_shards)
    several = content()
    monkeypatch.setattr("gemkit.executor.local.worker_count", lambda: 1)
    assert content() == several


def test_shards_have_a_maximum_number_of_rows(curated: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemkit.shards.SHARD_ROWS", 30)
    balance(curated, "small", DATASETS["small"])
    files = sorted(curated.dataset("small").glob("train-*"))
    assert [file.name for file in files] == [f"train-{index:05d}.parquet" for index in range(3)]
    assert [read_table(file, DATASET).num_rows for file in files] == [30, 30, 20]


def test_the_crop_settings_are_copied(curated: Project) -> None:
    text = json.dumps(CropSettings(version=3, size=SIZE).model_dump(), indent=2)
    (curated.crops / "crop.json").write_text(text)
    balance(curated, "small", DATASETS["small"])
    described = json.loads((curated.dataset("small") / "classes.json").read_text())
    assert json.dumps(described["crop"], indent=2) == text
    assert list(described["crop"])[:2] == ["version", "removal"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("32", '"32"', "'size' must be an integer (found '32')"),
        ('"version": 3, ', "", "the key 'version' is missing"),
        (', "margin": 0.06', "", "the key 'margin' is missing"),
        ('"margin"', '"marge"', "unknown key 'marge'; the keys are "),
        ("}", "", "the file is not valid JSON"),
    ],
)
def test_wrong_crop_settings_are_one_sentence(curated: Project, old: str, new: str, problem: str) -> None:
    text = json.dumps(CropSettings(version=3, size=SIZE).model_dump())
    (curated.crops / "crop.json").write_text(text.replace(old, new))
    with pytest.raises(UserError) as error:
        balance(curated, "small", DATASETS["small"])
    message = str(error.value)
    assert message.startswith(f"'{curated.crops}/crop.json': {problem}")
    assert message.endswith("; run 'gemcurate crop' again.")


def test_invalid_input_is_reported(curated: Project) -> None:
    with pytest.raises(UserError, match="would have 0 of the two classes"):
        balance(curated, "greedy", DATASETS["greedy"])
    split = read_table(curated.split_table, SPLIT).to_pylist()
    without = [row for row in split if (row["variety"], row["split"]) != ("ruby", "test")]
    write_table(curated.split_table, pa.Table.from_pylist(without, SPLIT))
    with pytest.raises(UserError, match="'ruby' has no test image"):
        balance(curated, "small", DATASETS["small"])
    write_table(curated.split_table, pa.Table.from_pylist(split, SPLIT))
    crops = read_table(curated.crops, CROPS)
    write_table(curated.crops / "00000.parquet", crops.slice(0, 3).cast(CROPS))
    with pytest.raises(UserError, match="lacks image"):
        balance(curated, "small", DATASETS["small"])
    write_table(curated.crops / "00000.parquet", crops.cast(CROPS))
    with pytest.raises(UserError, match=r"not made for 'crop.size' 48"):
        balance(curated, "small", DATASETS["small"], crop=CropParams(size=48))
    with pytest.raises(UserError, match="transparent crops"):
        balance(curated, "small", DATASETS["small"], crop=CropParams(background="transparent"))
    (curated.crops / "crop.json").write_text("null")
    with pytest.raises(UserError, match=r"crop\.json' does not say how the crops were made"):
        balance(curated, "small", DATASETS["small"])
    assert not list(curated.datasets.glob("*"))


@pytest.mark.parametrize("name", ["", "..", "../crops", "a/b"])
def test_a_dataset_is_named_like_a_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="cannot name a dataset"):
        balance(Project(tmp_path), name, DATASETS["small"])
    params = tmp_path / "params.yaml"
    params.write_text(f"balance: {{datasets: {{'{name}': {{target: 40, minimum: 20}}}}}}")
    with pytest.raises(UserError, match="cannot name a dataset"):
        read_dataset(params, "small")


def test_an_unknown_dataset_is_named_with_the_known_ones(tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text("balance: {datasets: {small: {target: 40, minimum: 20}}}")
    assert read_dataset(params, "small") == DATASETS["small"]
    with pytest.raises(UserError, match=r"params\.yaml'.*no dataset 'd9k'.*small"):
        read_dataset(params, "d9k")
