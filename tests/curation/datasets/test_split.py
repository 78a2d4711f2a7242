"""A group is in one split, the shares are as configured, and the split is stable as the store grows."""

import hashlib
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.datasets.params import SplitParams
from curation.datasets.records import CleanedImage
from curation.datasets.split import assign, split
from curation.tables import CLEAN, SPLIT
from gemkit.errors import UserError
from gemkit.project import Project
from gemkit.tables import read_table, write_table

PARAMS = SplitParams()
PRECEDENCE = {"test": 0, "validation": 1, "train": 2}


def sha(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def cleaned(
    number: int, group: int, variety: str = "ruby", products: list[str] | None = None
) -> CleanedImage:
    names = [f"shop/{group}"] if products is None else products
    return CleanedImage(sha(number), variety, names, sha(group), True)


def store(groups: int, images: int = 3, variety: str = "ruby", first: int = 0) -> list[CleanedImage]:
    return [
        cleaned(first + group * 1000 + index, first + group * 1000, variety)
        for group in range(groups)
        for index in range(images)
    ]


def splits(rows: list[CleanedImage]) -> dict[str, str]:
    return {row.sha256: row.split for row in assign(rows, PARAMS)}


some_images = st.lists(
    st.tuples(st.integers(0, 25), st.sampled_from(["ruby", "spinel", "opal"]), st.integers(0, 3)),
    min_size=1,
    max_size=80,
)


@settings(max_examples=60, deadline=None)
@given(some_images, st.integers(0, 3))
def test_a_group_is_in_one_split_and_one_fold(drawn: list[tuple[int, str, int]], seed: int) -> None:
    rows = [
        cleaned(number, group, variety, [f"shop/{product}"] if product else [])
        for number, (group, variety, product) in enumerate(drawn)
    ]
    found = assign(rows, SplitParams(seed=seed))
    assert [row.sha256 for row in found] == sorted(sha(number) for number in range(len(drawn)))
    for column in ("split", "fold"):
        assert len({(row.group_id, getattr(row, column)) for row in found}) == len(
            {group for group, _, _ in drawn}
        )
    assert {row.fold for row in found} <= set(range(5))
    assert found == assign(rows[::-1], SplitParams(seed=seed))


def test_shares_hold_in_every_variety() -> None:
    rows = store(300, variety="ruby") + store(60, variety="opal", first=10**6)
    found = assign(rows, PARAMS)
    for variety, tolerance in (("ruby", 0.01), ("opal", 0.04)):
        members = [row for row in found if row.variety == variety]
        counts = Counter(row.split for row in members)
        for name, share in (("test", 0.15), ("validation", 0.15), ("train", 0.7)):
            assert abs(counts[name] / len(members) - share) <= tolerance
        for count in Counter(row.fold for row in members).values():
            assert abs(count / len(members) - 0.2) <= tolerance


def test_folds_are_independent_of_the_splits() -> None:
    folds = {row.fold for row in assign(store(100), PARAMS) if row.split == "test"}
    assert folds == {0, 1, 2, 3, 4}


@pytest.mark.heavy
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_one_percent_of_new_products_moves_about_one_percent(start: int) -> None:
    before = store(500)
    after = before + store(5, variety="ruby", first=10**7 + start * 10**4)
    old, new = splits(before), splits(after)
    assert sum(old[key] != new[key] for key in old) <= 0.012 * len(old)


def test_a_new_image_of_a_product_joins_its_split() -> None:
    before = store(40)
    group = before[0].group_id
    # The group's id is its smallest sha256, so a new image may rename it.
    after = [row._replace(group_id="0" * 64) if row.group_id == group else row for row in before]
    added = after[0]._replace(sha256="0" * 64)
    old, new = splits(before), splits([*after, added])
    assert new[added.sha256] == old[before[0].sha256]
    assert sum(old[key] != new[key] for key in old) <= 2 * 3  # a group at either of the two boundaries


@pytest.mark.heavy
@settings(max_examples=60, deadline=None)
@given(st.integers(3, 30), st.data())
def test_merged_groups_take_the_split_of_highest_precedence(groups: int, data: st.DataObject) -> None:
    rows = store(groups, 2) + store(groups, 1, "spinel", first=10**6)
    names = sorted({row.group_id for row in rows})
    merged = data.draw(st.sets(st.sampled_from(names), min_size=2, max_size=3))
    after = [row._replace(group_id=min(merged)) if row.group_id in merged else row for row in rows]
    old, new = splits(rows), splits(after)
    members = [row.sha256 for row in rows if row.group_id in merged]
    (name,) = {new[member] for member in members}
    assert PRECEDENCE[name] <= min(PRECEDENCE[old[member]] for member in members)


def test_dropping_an_image_does_not_move_the_rest_of_its_group() -> None:
    rows = [cleaned(number, number // 2, products=[]) for number in range(200)]
    dropped = [row._replace(keep=number % 40 != 0) for number, row in enumerate(rows)]
    old, new = splits(rows), splits(dropped)
    assert sum(old[key] != new[key] for key in new) <= 3


def write_cleaned(project: Project, rows: list[CleanedImage]) -> None:
    table = pa.Table.from_pylist([row._asdict() for row in rows], CLEAN)
    write_table(project.clean_table, table)


def test_the_stage_writes_its_table_and_reports_small_varieties(home: Project) -> None:
    rows = sorted(store(30) + store(2, variety="opal", first=10**6), key=lambda row: row.sha256)
    write_cleaned(home, rows)
    summary = split(home)
    table = read_table(home.split_table, SPLIT)
    assert table.num_rows == len(rows) == sum(count.images for count in summary.splits.values())
    assert summary.too_few_groups == ["opal"]
    assert sum(counts.groups for counts in summary.varieties["ruby"].values()) == 30
    content = home.split_table.read_bytes()
    split(home)
    assert home.split_table.read_bytes() == content


def test_invalid_input_is_reported(home: Project) -> None:
    write_cleaned(home, [cleaned(1, 1)._replace(keep=False)])
    with pytest.raises(UserError, match="keeps no image"):
        split(home)
    write_cleaned(home, [cleaned(1, 1)._replace(variety=None)])
    with pytest.raises(UserError, match="without a variety"):
        split(home)
