"""Cleaning gives each image a label and a group, and keeps one of several copies."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.cleaning.clean import apply_rules, clean
from curation.cleaning.image_table import read_image_table
from curation.cleaning.params import CleanParams, read_clean
from curation.cleaning.reasons import Reason
from curation.cleaning.rule_set import load_rules
from curation.tables import REASON
from curation.taxonomy.taxonomy import BUILT_IN, read_taxonomy
from gemkit.errors import UserError
from gemkit.project import Project
from tests.helpers.measured_shop import Shop, faceted_stone


@pytest.fixture
def shop(home: Project) -> Shop:
    return Shop(home)


def test_one_row_per_image_with_its_label(shop: Shop) -> None:
    ruby = shop.add(faceted_stone(1), ["Burmese Ruby"], ["p1"])
    shop.add(faceted_stone(1), ["Ruby"], ["p2"])
    shop.add(faceted_stone(1), ["Ruby"], ["q1"], site="attic")
    rows = shop.clean()
    assert len(rows) == 1
    row = rows[ruby]
    assert (row["variety"], row["species"], row["region"]) == ("ruby", "corundum", "Myanmar")
    assert row["products"] == ["attic/q1", "shop/p1", "shop/p2"]
    assert (row["site"], row["path"], row["keep"]) == ("attic", f"attic/images/{ruby}.jpg", True)


def test_a_site_removed_from_the_list_is_ignored(shop: Shop) -> None:
    ruby = shop.add(faceted_stone(1), ["Ruby"], ["p1"])
    shop.add(faceted_stone(2), ["Ruby"], ["q1"], site="attic")
    assert set(shop.clean(["shop"])) == {ruby}


def test_groups_join_images_of_a_product_and_copies(shop: Shop) -> None:
    a1 = shop.add(faceted_stone(1), ["Ruby"], ["a"])
    a2 = shop.add(faceted_stone(2), ["Ruby"], ["a"])
    small_a2 = shop.add(faceted_stone(2, 180), ["Ruby"], ["b"])
    b2 = shop.add(faceted_stone(3), ["Ruby"], ["b"])
    alone = shop.add(faceted_stone(4), ["Ruby"], ["c"])
    rows = shop.clean()
    assert rows[small_a2]["rules"] == {"near_duplicate"}
    joined = {a1, a2, small_a2, b2}
    assert {rows[sha256]["group_id"] for sha256 in joined} == {min(joined)}
    assert rows[alone]["group_id"] == alone
    assert [rows[sha256]["keep"] for sha256 in (a1, a2, small_a2, b2, alone)] == [
        True,
        True,
        False,
        True,
        True,
    ]


def test_the_largest_copy_is_kept_and_gets_all_names(shop: Shop) -> None:
    small = shop.add(faceted_stone(1, 180), ["Swiss Blue Topaz", "Blue Sapphire"], ["a"])
    large = shop.add(faceted_stone(1, 300), ["Sapphire"], ["b"])
    same = shop.add(faceted_stone(1, 300), ["Pink Sapphire"], ["b"], key="other metadata")
    rows = shop.clean()
    kept = large if large < same else same
    assert rows[small]["rules"] >= {"near_duplicate"}
    assert "exact_duplicate" in (rows[large]["rules"] | rows[same]["rules"])
    # Sapphire and topaz are mutually exclusive, whichever copy has the name.
    assert rows[kept]["rules"] == {"label"}
    assert not any(row["keep"] for row in rows.values())


def test_a_stock_photo_has_no_product_and_joins_no_group(shop: Shop) -> None:
    products = ["a", "b", "c", "d"]
    stock = shop.add(faceted_stone(9), ["Ruby"], products)
    own = [shop.add(faceted_stone(seed), ["Ruby"], [product]) for seed, product in enumerate(products)]
    shared = shop.add(faceted_stone(10), ["Ruby"], products[:3])
    rows = shop.clean()
    assert rows[stock]["keep"]
    assert (rows[stock]["products"], rows[stock]["group_id"]) == ([], stock)
    assert len({rows[sha256]["group_id"] for sha256 in [*own[:3], shared]}) == 1
    assert rows[own[3]]["group_id"] == own[3]


def test_dropped_images_join_no_groups(shop: Shop) -> None:
    for seed, product in enumerate("abc"):
        shop.add(faceted_stone(seed), ["Ruby"], [product])
        shop.add(faceted_stone(50, 200 + seed), ["Ruby"], [product], name=f"certificate-{seed}.jpg")
    rows = shop.clean()
    assert len({row["group_id"] for row in rows.values() if row["keep"]}) == 3
    assert all(row["rules"] == {"file_name"} for row in rows.values() if not row["keep"])


def test_a_reason_holds_value_and_threshold(shop: Shop) -> None:
    small = shop.add(faceted_stone(1, 60), ["Ruby"], ["a"])
    text = shop.add(faceted_stone(2), ["Ruby"], ["b"], text_boxes=7, text_area=0.25, text="REPORT\nRUBY")
    broken = shop.add(None, ["Ruby"], ["c"])
    rows = shop.clean()
    [reason] = rows[small]["reasons"]
    assert (reason["rule"], reason["value"], reason["threshold"]) == ("small", 60, 100)
    [reason] = rows[text]["reasons"]
    assert (reason["rule"], reason["value"], reason["threshold"]) == ("text", 7, 3)
    assert rows[broken]["reasons"][0]["text"] == "truncated"
    metrics = json.loads((shop.project.metrics / "clean.json").read_text())
    assert metrics["kept"] == 0
    assert {name: count for name, count in metrics["dropped"].items() if count} == {
        "small": 1, "text": 1, "undecodable": 1,
    }  # fmt: skip


def test_a_copy_names_the_image_that_is_kept(shop: Shop) -> None:
    large = shop.add(faceted_stone(1, 300), ["Ruby"], ["a"])
    small = shop.add(faceted_stone(1, 180), ["Ruby"], ["b"])
    same = shop.add(faceted_stone(2, 300), ["Ruby"], ["c"], key="other metadata")
    twin = shop.add(faceted_stone(2, 300), ["Ruby"], ["d"])
    rows = shop.clean()
    [reason] = rows[small]["reasons"]
    assert (reason["rule"], reason["other_sha256"]) == ("near_duplicate", large)
    assert reason["measurement"] == "residual_variance" and reason["value"] <= reason["threshold"]
    kept, copy = sorted([same, twin])
    [reason] = rows[copy]["reasons"]
    assert (reason["rule"], reason["other_sha256"], reason["value"]) == ("exact_duplicate", kept, 0)


def test_a_conflict_and_unknown_names_are_of_different_kinds(shop: Shop) -> None:
    conflict = shop.add(faceted_stone(1), ["Ruby", "Red Spinel"], ["a"])
    unknown = shop.add(faceted_stone(2), ["Things"], ["b"])
    rows = shop.clean()
    assert [rows[sha256]["reasons"][0]["kind"] for sha256 in (conflict, unknown)] == ["conflict", "unknown"]
    metrics = json.loads((shop.project.metrics / "clean.json").read_text())
    assert metrics["conflicts"] == {"conflict: Red Spinel, Ruby": 1}
    assert metrics["dropped"]["label"] == 2


def test_cleaning_leaves_its_input_as_it_was(shop: Shop) -> None:
    for seed in range(3):
        shop.add(faceted_stone(seed), ["Ruby"], ["a"], sharpness=[20.0, 1.0, 20.0][seed])
        shop.add(faceted_stone(seed, 180), ["Red Spinel"], ["b"])
    shop.write()
    rules, taxonomy = load_rules({}), read_taxonomy(BUILT_IN)
    images = read_image_table(shop.project, ["shop"])
    first = apply_rules(images, rules, taxonomy, {})
    assert {reason.rule for row in first for reason in row.reasons} == {"blurred", "near_duplicate", "label"}
    assert apply_rules(images, rules, taxonomy, {}) == first
    with pytest.raises(AttributeError):
        images.classes = []


def test_duplicates_can_be_kept(shop: Shop) -> None:
    near = [shop.add(faceted_stone(1, side), ["Ruby"], [str(side)]) for side in (180, 300)]
    exact = [shop.add(faceted_stone(2), ["Ruby"], [key], key=key) for key in ("c", "d")]
    rows = shop.clean(settings=CleanParams(rules={"exact_duplicate": False, "near_duplicate": False}))
    assert all(rows[sha256]["keep"] for sha256 in (*near, *exact))
    assert len({row["group_id"] for row in rows.values()}) == 4
    metrics = json.loads((shop.project.metrics / "clean.json").read_text())
    assert not {"exact_duplicate", "near_duplicate"} & set(metrics["dropped"])


def test_the_fields_of_a_reason_are_those_of_the_table() -> None:
    assert Reason._fields == ("row", *(field.name for field in REASON))


def test_the_output_does_not_depend_on_row_order(shop: Shop) -> None:
    for seed in range(6):
        shop.add(faceted_stone(seed), ["Ruby"], [f"p{seed // 2}"])
        shop.add(faceted_stone(seed, 200), ["Ruby"], [f"q{seed}"])
    shop.clean()
    outputs = [shop.project.clean_table, shop.project.metrics / "clean.json"]
    first = [path.read_bytes() for path in outputs]
    for rows in shop.raw.values():
        rows.reverse()
    shop.clean()
    assert [path.read_bytes() for path in outputs] == first


def test_an_image_that_was_not_measured_is_an_error(shop: Shop) -> None:
    sha256 = shop.add(faceted_stone(1), ["Ruby"], ["a"])
    shop.measured["shop"].pop(sha256)
    with pytest.raises(UserError, match="gemcurate measure --site shop"):
        shop.clean()


def test_a_truncated_table_is_an_error(shop: Shop) -> None:
    shop.add(faceted_stone(1), ["Ruby"], ["a"])
    shop.write()
    table = shop.project.measured("shop")
    table.write_bytes(table.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"shop\.parquet"):
        clean(shop.project, ["shop"])


def test_an_empty_crawl_gives_an_empty_table(shop: Shop) -> None:
    shop.raw["shop"], shop.measured["shop"] = [], {}
    assert shop.clean() == {}


def test_the_label_rule_cannot_be_switched_off(shop: Shop) -> None:
    shop.add(faceted_stone(1), ["Ruby"], ["a"])
    with pytest.raises(UserError, match=r"'CleanParams': 'rules\.label' cannot be false"):
        shop.clean(settings=CleanParams(rules={"label": False}))


def test_a_wrong_setting_of_a_rule_is_named_as_it_was_given(home: Project) -> None:
    with pytest.raises(UserError, match=r"^'CleanParams': 'rules\.small\.side' must be more than 0"):
        clean(home, ["shop"], CleanParams(rules={"small": {"side": -1}}))
    home.params.write_text("clean: {rules: {small: {side: -1}}}")
    with pytest.raises(UserError, match=r"params\.yaml': 'clean\.rules\.small\.side' must be more than 0"):
        read_clean(home.params)


def test_the_files_of_labels_are_the_projects_if_it_has_them(home: Project) -> None:
    settings = CleanParams()
    assert (settings.taxonomy_file(home), settings.decisions_file(home)) == (BUILT_IN, None)
    home.labels.mkdir()
    for name in ("taxonomy.toml", "decisions.csv"):
        (home.labels / name).touch()
    assert settings.taxonomy_file(home) == home.root / "labels/taxonomy.toml"
    assert settings.decisions_file(home) == home.root / "labels/decisions.csv"
    named = CleanParams(taxonomy="own.toml", decisions="own.csv")
    assert named.taxonomy_file(home) == home.root / "own.toml"
    assert named.decisions_file(home) == home.root / "own.csv"


def test_varieties_can_be_merged(shop: Shop) -> None:
    blue = shop.add(faceted_stone(1), ["Blue Sapphire"], ["a"])
    assert shop.clean()[blue]["variety"] == "blue_sapphire"
    assert shop.clean(settings=CleanParams(merge=("sapphire",)))[blue]["variety"] == "sapphire"


def test_measurements_of_an_older_version_are_refused(shop: Shop) -> None:
    shop.add(faceted_stone(1), ["Ruby"], ["a"])
    shop.write()
    path = shop.project.measured("shop")
    table = pq.read_table(path)
    features = pa.array([[0.5] * 24], pa.list_(pa.float32()))
    index = table.schema.get_field_index("shape_features")
    pq.write_table(table.set_column(index, "shape_features", features), path)
    with pytest.raises(UserError, match=r"shop\.parquet': .*'shape_features' is list of float") as caught:
        clean(shop.project, ["shop"])
    assert str(caught.value).endswith("run 'gemcurate measure --site shop'.")


@pytest.mark.parametrize("sites", ["demo", []])
def test_sites_are_a_list(tmp_path: Path, sites: str | list[str]) -> None:
    with pytest.raises(UserError, match="Give a list of sites"):
        clean(Project(tmp_path), sites)
