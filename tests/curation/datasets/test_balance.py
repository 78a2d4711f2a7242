"""Exactly the target, evenly used photos, orientations that tell nothing, colours untouched."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold, cross_val_predict

from curation.datasets.balance import balance, make_plan
from curation.datasets.orientations import Orientation, orient, orientations, pairs
from curation.imaging.centre_crop import cut_centre, stored_side
from curation.params import DatasetParams
from curation.tables import CLEAN, CROPS, DATASET, SPLIT, SPLITS
from gemkit.errors import UserError
from gemkit.executor.local import map_shards
from gemkit.image_codec import decode, decode_rgb, encode_jpeg
from gemkit.tables import read_table, table_files, write_table
from scraper.demo_store.catalogue import build
from tests.helpers.project import SCALE, SEED

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


def spread(counts: Counter, keys: Iterable) -> int:
    return max(counts[key] for key in keys) - min(counts[key] for key in keys)


@settings(deadline=None)
@given(st.integers(1, 80), st.sampled_from([1, 2, 4, 8, 16]), st.data())
def test_any_beginning_of_the_pairs_is_balanced(photos: int, count: int, data: st.DataObject) -> None:
    every = list(pairs(photos, count))
    assert len(set(every)) == len(every) == photos * count
    first = every[: data.draw(st.integers(1, len(every)))]
    assert spread(Counter(photo for photo, _ in first), range(photos)) <= 1
    assert spread(Counter(turn for _, turn in first), range(count)) <= 1
    if count == 16:
        mirrored = Counter((photo, orientations(count)[turn].mirrored) for photo, turn in first)
        assert all(abs(mirrored[photo, True] - mirrored[photo, False]) <= 1 for photo in range(photos))


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


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=12),
    st.floats(0, 1),
    st.sampled_from([1, 2, 4, 8, 16]),
)
def test_groups_take_turns(sizes: list[int], share: float, count: int) -> None:
    rows = [
        {"sha256": f"{group}-{member}", "group_id": str(group), "variety": "ruby", "split": "train"}
        for group, size in enumerate(sizes)
        for member in range(size)
    ]
    target = max(1, round(share * len(rows) * count))
    uses = make_plan(rows, DatasetParams(target=target, minimum=1), count).uses
    every, one_more = divmod(target, len(rows))
    counts = Counter({row["sha256"]: len(uses.get(row["sha256"], ())) - every for row in rows})
    assert set(counts.values()) <= {0, 1}
    extra = [sum(counts[f"{group}-{member}"] for member in range(size)) for group, size in enumerate(sizes)]
    assert sum(extra) == one_more
    with_more_left = [more for more, size in zip(extra, sizes, strict=True) if more < size]
    assert max(extra) <= min(with_more_left, default=12) + 1
    spared = [size for more, size in zip(extra, sizes, strict=True) if not more]
    served = [size for more, size in zip(extra, sizes, strict=True) if more]
    assert not served or not spared or max(served) <= min(spared), "the smallest groups come first"
    turns = Counter(turn for chosen in uses.values() for turn in chosen)
    assert spread(turns, orientations(count)) <= 1


@settings(deadline=None)
@given(st.lists(st.sampled_from(SPLITS), min_size=1, max_size=60), st.integers(1, 200))
def test_only_training_photos_are_ever_turned(sides: list[str], target: int) -> None:
    rows = [
        {"sha256": f"{number:03}", "group_id": f"{number:03}", "variety": "ruby", "split": side}
        for number, side in enumerate(sides)
    ]
    plan = make_plan(rows, DatasetParams(target=target, minimum=1), 16)
    for row in rows:
        if row["split"] != "train":
            assert plan.uses.get(row["sha256"], []) == ([Orientation(0, False)] if plan.classes else [])


def test_orientations_are_distinct_turns_of_the_same_picture() -> None:
    rng = np.random.default_rng(0)
    side = stored_side(SIZE)
    noise = rng.integers(0, 256, (side, side, 3), np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    pictures = list(orient(smooth, SIZE, orientations(16)))
    assert len({picture.tobytes() for picture in pictures}) == 16
    assert all(picture.shape == (SIZE, SIZE, 3) for picture in pictures)
    centre = cut_centre(smooth, SIZE)
    assert np.array_equal(next(orient(smooth, SIZE, [Orientation(90, False)])), np.rot90(centre))
    assert np.array_equal(next(orient(smooth, SIZE, [Orientation(180, True)])), np.rot90(centre[:, ::-1], 2))


def test_an_eighth_turn_is_counter_clockwise_about_the_centre() -> None:
    side = stored_side(SIZE)
    dot = np.zeros((side, side, 3), np.uint8)
    middle = (side - 1) / 2
    cv2.circle(dot, (round(middle + 10), round(middle)), 2, (255, 255, 255), -1)  # at three o'clock
    turned = next(orient(dot, SIZE, [Orientation(45, False)]))[..., 0].astype(float)
    rows, columns = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    x, y = (turned * columns).sum() / turned.sum(), (turned * rows).sum() / turned.sum()
    right, below = round(middle + 10) - middle, round(middle) - middle
    assert np.hypot(x - (right + below) / 2**0.5, y - (below - right) / 2**0.5) < 0.2  # half past one
    twice = next(orient(dot, SIZE, [Orientation(90, False)]))[..., 0]
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
        assert np.abs(next(orient(plane, SIZE, [turn])) - expected).max() < 4, turn


Crop = tuple[str, str, str, np.ndarray]


def write_crops(crops: Iterable[Crop]) -> None:
    """The tables that `balance` reads, in the current folder; a crop is (variety, group, side, pixels)."""
    clean, stored, split = [], [], []
    for number, (variety, group, side, pixels) in enumerate(crops):
        sha256 = hashlib.sha256(f"{variety} {number}".encode()).hexdigest()
        common = {"sha256": sha256, "variety": variety, "group_id": group}
        clean.append({**common, "species": f"species of {variety}", "keep": True, "products": []})
        image = {"bytes": encode_jpeg(pixels), "path": f"{sha256}.jpg"}
        stored.append({"sha256": sha256, "image": image, "method": "mask"})
        split.append({**common, "split": side, "fold": 0})
    for name, rows, schema in (
        ("data/clean.parquet", clean, CLEAN),
        ("data/crops/00000.parquet", stored, CROPS),
        ("data/split.parquet", split, SPLIT),
    ):
        rows.sort(key=lambda row: row["sha256"])
        write_table(Path(name), pa.Table.from_pylist(rows, schema))
    Path("data/crops/crop.json").write_text("null")


def coloured_noise() -> Iterator[Crop]:
    rng = np.random.default_rng(1)
    for variety, (training, colour) in VARIETIES.items():
        for number in range(training + 6):
            shade = rng.normal(0, 8, (stored_side(SIZE), stored_side(SIZE), 1))
            side = "train" if number < training else SPLITS[1 + number % 2]
            pixels = np.clip(np.array(colour) + shade, 0, 255).astype(np.uint8)
            yield variety, f"{variety} {number}", side, pixels


@pytest.fixture
def curated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with crops of three varieties, cleaned and split; its images are rendered in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("curation.datasets.balance.map_shards", map)
    Path("params.yaml").write_text(PARAMS)
    write_crops(coloured_noise())
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


def test_what_is_learnt_is_checked_on_untouched_photos(curated: Path) -> None:
    balance(Path("params.yaml"), "small")
    crops = {
        row["sha256"]: row["image"]["bytes"] for row in read_table(Path("data/crops"), CROPS).to_pylist()
    }
    rows = dataset_rows("small")
    for side in ("validation", "test"):
        assert len({row["sha256"] for row in rows[side]}) == len(rows[side])
        for row in rows[side]:
            centre = cut_centre(decode_rgb(crops[row["sha256"]]), SIZE)
            assert row["image"]["bytes"] == encode_jpeg(centre)


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

    monkeypatch.setattr("curation.datasets.balance.map_shards", map_shards)
    several = content()
    monkeypatch.setattr("gemkit.executor.local.worker_count", lambda: 1)
    assert content() == several


def test_shards_hold_no_more_rows_than_they_may(curated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemkit.shards.SHARD_ROWS", 30)
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


# What an image tells of how common its class is: two classes of the same stones, one with fewer photos.

PICTURE = 64
SAME_STONES = """
crop: {size: 64}
balance: {datasets: {both: {kind: balanced, target: 300, minimum: 300}}}
"""


def photos_of_stones(rendered: Path) -> dict[str, list[np.ndarray]]:
    """The demo store's stones of which there are several photos: their middle, so large as a stored crop."""
    stones: dict[str, list[np.ndarray]] = {}
    for photo in build(SEED, SCALE).photos:
        if photo.usable and photo.kind == "stone":
            file = next(rendered.glob(f"demo_store/*/{photo.path[1:]}"))
            pixels = decode(file.read_bytes()).pixels
            square = cut_centre_square(pixels)
            side = stored_side(PICTURE)
            small = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
            stones.setdefault(str(photo.stone), []).append(small)
    return {stone: photos for stone, photos in stones.items() if len(photos) > 1}


def cut_centre_square(pixels: np.ndarray) -> np.ndarray:
    side = min(pixels.shape[:2])
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


class Pictures:
    """The training images of the two classes: pixels, which are of the rare one, and their stones."""

    def __init__(self, rows: list[dict]):
        self.rows = rows
        self.pixels = np.stack([decode_rgb(row["image"]["bytes"]) for row in rows])
        self.rare = np.array([row["variety"] == "rare" for row in rows])
        self.stones = np.array([row["group_id"] for row in rows])

    def told_apart(
        self, features: Callable[[np.ndarray], list[float]], change: Callable | None = None
    ) -> float:
        """Least share (99.9 %) of unseen stones' images of which a forest knows whether their class is rare.

        `change` is done to the images of the rare class first.
        """
        pixels = [
            change(picture, row) if change and row["variety"] == "rare" else picture
            for picture, row in zip(self.pixels, self.rows, strict=True)
        ]
        forest = RandomForestClassifier(25, min_samples_leaf=5, random_state=0)
        x = np.array([features(picture) for picture in pixels])
        known = cross_val_predict(forest, x, self.rare, groups=self.stones, cv=GroupKFold(4)) == self.rare
        of_stones = []
        for stone in np.unique(self.stones):
            here = self.stones == stone
            of_stones.append((known[here & self.rare].mean() + known[here & ~self.rare].mean()) / 2)
        error = np.std(of_stones, ddof=1) / len(of_stones) ** 0.5
        return float(np.mean(of_stones) - 3.1 * error)


@pytest.fixture(scope="module")
def same_stones(tmp_path_factory: pytest.TempPathFactory, rendered: Path) -> Pictures:
    """All photos of some stones are one class, one photo of each is the other."""
    crops: list[Crop] = []
    for number, (stone, photos) in enumerate(photos_of_stones(rendered).items()):
        crops += [("common", stone, "train", photo) for photo in photos]
        crops.append(("rare", stone, "train", photos[number % len(photos)]))
    sides = ("validation", "test")
    crops += [(name, side, side, crops[0][3]) for name in ("common", "rare") for side in sides]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("stones"))
        patch.setattr("curation.datasets.balance.map_shards", map)
        Path("params.yaml").write_text(SAME_STONES)
        write_crops(crops)
        balance(Path("params.yaml"), "both")
        return Pictures(dataset_rows("both")["train"])


def corners(picture: np.ndarray) -> list[float]:
    """Mean and darkest values of the four corners, by colour."""
    found: list[float] = []
    for rows in (slice(0, 5), slice(-5, None)):
        for columns in (slice(0, 5), slice(-5, None)):
            patch = picture[rows, columns].reshape(-1, 3)
            found += [*patch.mean(axis=0), *patch.min(axis=0), *patch.std(axis=0)]
    return found


def sharpness(picture: np.ndarray) -> list[float]:
    """How strong fine detail is, beside coarser detail, in pixels and in frequencies."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64)
    power = np.abs(np.fft.fft2(grey * np.outer(np.hanning(PICTURE), np.hanning(PICTURE)))) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(PICTURE), np.fft.fftfreq(PICTURE)))
    bands = [power[(frequency > low) & (frequency <= low + 0.1)].sum() for low in (0.1, 0.2, 0.3, 0.4)]
    fine, coarse = cv2.Laplacian(grey, cv2.CV_64F).var(), cv2.Laplacian(cv2.pyrDown(grey), cv2.CV_64F).var()
    return [*np.log(np.add(bands, 1)), np.log(fine + 1), np.log((fine + 1) / (coarse + 1))]


def black_corners(picture: np.ndarray, row: dict) -> np.ndarray:
    """What is left of an image where the visible square itself was turned, as published."""
    if row["rotation"] % 90 == 0:
        return picture
    y, x = np.mgrid[:PICTURE, :PICTURE] - (PICTURE - 1) / 2
    return np.where((np.abs(x) + np.abs(y) > PICTURE / 2**0.5)[..., None], 0, picture).astype(np.uint8)


def resampled(picture: np.ndarray, row: dict) -> np.ndarray:
    """An image that was once a tenth smaller."""
    small = cv2.resize(picture, None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (PICTURE, PICTURE), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(("features", "mistake"), [(corners, black_corners), (sharpness, resampled)])
def test_neither_corners_nor_scale_tell_a_rare_class(
    same_stones: Pictures, features: Callable, mistake: Callable
) -> None:
    assert same_stones.rare.mean() == 0.5 and len(same_stones.rows) == 600
    assert same_stones.told_apart(features) < 0.5
    assert same_stones.told_apart(features, mistake) > 0.5, "the test could not fail"


def test_colours_stay_as_they_are(same_stones: Pictures, rendered: Path) -> None:
    """The mean colour around the centre, weighted alike in every direction, is that of the photo."""
    y, x = np.mgrid[:PICTURE, :PICTURE] - (PICTURE - 1) / 2
    weight = np.clip(1 - np.hypot(x, y) / (PICTURE / 2), 0, None)[..., None]
    untouched: dict[str, list[np.ndarray]] = {}
    for stone, photos in photos_of_stones(rendered).items():
        centres = [cut_centre(photo, PICTURE) for photo in photos]
        untouched[stone] = [(centre * weight).sum(axis=(0, 1)) / weight.sum() for centre in centres]
    turns = set()
    for picture, row in zip(same_stones.pixels, same_stones.rows, strict=True):
        colour = (picture * weight).sum(axis=(0, 1)) / weight.sum()
        known = untouched[row["group_id"]]
        assert min(np.abs(colour - each).max() for each in known) < 0.5
        if all(np.abs(each[0] - each[2]) > 5 for each in known):
            assert min(np.abs(colour[::-1] - each).max() for each in known) > 5, "red and blue are told apart"
            turns.add((row["rotation"], row["mirrored"]))
    assert len(turns) == 16
