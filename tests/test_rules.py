"""Each rule drops its dirt and nothing else: on made-up measurements, and on a sample of the demo store."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import ROOT

from curation.inventory import Inventory
from curation.rules import load_rules, rule_names
from curation.rules.file_name import words_of
from curation.tables import MEASURED
from curation.taxonomy import read_taxonomy
from gemkit.errors import UserError

sys.path.insert(0, str(ROOT))
from benchmarks.cleaning import choose_cases, judge_cases, score_labels

GOOD = {"width": 500, "height": 400, "bytes": 20_000, "text_boxes": 1, "text_area": 0.6}
GOOD |= {"skin_region_share": 0.0, "skin_border_share": 0.0, "background_uniformity": 0.6}


def images(*measured: dict[str, object], file_names: list[list[str]] | None = None) -> Inventory:
    count = len(measured)
    keys = [f"{row:064x}" for row in range(count)]
    rows = [
        {"sha256": key, **(values if "error" in values else GOOD | values)}
        for key, values in zip(keys, measured, strict=True)
    ]
    return Inventory(
        keys,
        ["shop"] * count,
        [f"shop/{key}" for key in keys],
        [frozenset({"Ruby"})] * count,
        file_names or [[]] * count,
        [[]] * count,
        pa.Table.from_pylist(rows, MEASURED),
    )


def found(
    rule: str, inventory: Inventory, **settings: object
) -> list[tuple[int, float | None, float | None]]:
    [chosen] = [candidate for candidate in load_rules({rule: settings}) if candidate.name == rule]
    return [(reason.row, reason.value, reason.threshold) for reason in chosen.find(inventory)]


@pytest.mark.parametrize(
    "name",
    [
        "certi12345.jpg", "certificate-77.jpg", "GP123-certi-4.jpg", "hand10.jpg", "hand-gp4-1.jpg",
        "gp4_Hand_2.JPG", "sizeChart.png", "size-chart-ring.png", "banner_2024.webp", "placeholder.jpg",
        "no-image.gif", "noImage.gif", "ruby-watermark.jpg", "LabReport.jpg",
    ],
)  # fmt: skip
def test_telling_file_names(name: str) -> None:
    assert found("file_name", images({}, file_names=[["gp1-1.jpg", name]])) == [(0, None, None)]


@pytest.mark.parametrize(
    "name",
    [
        "product-ruby-1.jpg", "handmade-ruby.jpg", "handpicked.jpg", "perfect.jpg", "collection-2.jpg",
        "gp12-1-010122.jpg", "exact-colour.jpg", "certified-ruby.jpg", "thailand.jpg", "", ".jpg",
        "2.30ct.jpg", "urbanner.jpg",
    ],
)  # fmt: skip
def test_innocent_file_names(name: str) -> None:
    assert found("file_name", images({}, file_names=[[name]])) == []


def test_words_of_a_file_name() -> None:
    assert words_of("GP12-sizeChart_EU.final.jpg") == "gp size chart eu final"


@pytest.mark.parametrize(
    ("rule", "dirty", "clean", "value", "threshold"),
    [
        ("small", {"width": 99}, {"width": 100}, 99, 100),
        ("shape", {"width": 1300}, {"width": 1200}, 3.25, 3),
        ("text", {"text_boxes": 3}, {"text_boxes": 2}, 3, 3),
        ("hand", {"skin_region_share": 0.3, "skin_border_share": 0.2}, {"skin_border_share": 0.2}, 0.3, 0.08),
        (
            "hand",
            {"skin_region_share": 0.3, "skin_border_share": 0.2},
            {"skin_region_share": 0.3, "skin_border_share": 0.9, "background_uniformity": 0.95},
            0.3,
            0.08,
        ),
    ],
)
def test_thresholds(
    rule: str, dirty: dict[str, float], clean: dict[str, float], value: float, threshold: float
) -> None:
    hits = found(rule, images(dirty, clean, {"error": "truncated"}))
    assert [row for row, *_ in hits] == [0]
    assert hits[0][1:] == (pytest.approx(value), pytest.approx(threshold))


def test_a_setting_moves_the_threshold() -> None:
    assert found("small", images({"width": 99}), side=50) == []


def test_undecodable() -> None:
    assert found("undecodable", images({}, {"error": "truncated"})) == [(1, None, None)]


def test_all_rules_run_unless_switched_off() -> None:
    assert {rule.name for rule in load_rules({})} == set(rule_names())
    assert "text" not in {rule.name for rule in load_rules({"text": False, "small": None})}
    assert [rule.phase for rule in load_rules({})] == sorted(
        (rule.phase for rule in load_rules({})), key=["image", "copies", "labels"].index
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"astrology": {}}, "no rule 'astrology'"),
        ({"small": {"side": -1}}, "clean.rules.small.side"),
        ({"text": {"boxes": "three"}}, "clean.rules.text.boxes"),
        ({"hand": {"colour": 1}}, "clean.rules.hand.colour"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, dict[str, object]], words: str) -> None:
    with pytest.raises(UserError) as error:
        load_rules(settings)
    assert words in str(error.value)


def test_near_duplicates_need_structure_colour_and_fine_structure() -> None:
    rng = np.random.default_rng(0)
    code, fine = rng.bytes(8), rng.bytes(32)
    other_fine = bytes(byte ^ 0xFF for byte in fine)
    base = {"phash": code, "phash256": fine, "centre_lab": [50.0, 10.0, 0.0], "pixel_sha256": "a"}
    inventory = images(
        base | {"width": 300},
        base | {"width": 600, "pixel_sha256": "b"},
        base | {"centre_lab": [50.0, 30.0, 0.0], "pixel_sha256": "c"},
        base | {"phash256": other_fine, "pixel_sha256": "d"},
        base | {"phash": bytes(byte ^ 0xFF for byte in code), "pixel_sha256": "e"},
    )
    assert found("near_duplicate", inventory) == [(0, 0.0, 8.0)]
    assert inventory.copy_of.tolist() == [1, 1, 2, 3, 4]


def test_the_rules_hold_on_the_demo_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scraper.demo_store.catalogue import build

    monkeypatch.chdir(tmp_path)
    taxonomy = read_taxonomy(ROOT / "labels/taxonomy.toml", ["sapphire", "blue_topaz"])
    catalogue = build(11, 0.3, dirt=2)
    result = judge_cases(catalogue, choose_cases(catalogue, 10, 24), ROOT / "params.yaml", taxonomy)
    labels, right, everything = score_labels(taxonomy, build(11, 4, dirt=0.01))
    for score in [*result.scores, labels]:
        assert score.cases >= 8, score
        assert score.precision >= 0.9, score
        assert score.recall >= 0.9, score
    assert len(result.lost) <= 0.02 * result.good, result.lost
    assert right == everything
