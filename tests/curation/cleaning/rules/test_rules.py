"""Each rule drops its dirt and nothing else: on made-up measurements, and on a sample of the demo store."""

from pathlib import Path

import cv2
import pyarrow as pa
import pytest

from benchmarks.curation.cleaning import choose_cases, judge_cases, score_labels
from curation.cleaning.image_table import Inventory
from curation.cleaning.rules import load_rules, rule_names
from curation.cleaning.rules.file_name import words_of
from curation.measurement.pixel_statistics import measure_pixels
from curation.measurement.shape_features import NAMES
from curation.tables import MEASURED
from curation.taxonomy.taxonomy import read_taxonomy
from gemkit.errors import UserError
from scraper.demo_store.rendering.stones import photograph
from tests.helpers.commands import ROOT

GOOD: dict[str, object] = {
    "width": 500, "height": 400, "bytes": 20_000, "darkest": 20.0, "brightest": 95.0, "clipped_share": 0.0,
    "sharpness": 25.0, "background_uniformity": 0.6, "background_lab": [80.0, 0.0, 0.0],
    "background_residual": 1.0, "skin_region_share": 0.0, "skin_border_share": 0.0, "limb_share": 0.0,
    "limb_border": 0.0, "limb_spread": 0.0, "stones": 1, "stone_contrast": 50.0, "stone_share": 0.3,
    "stone_solidity": 0.97, "stone_elongation": 1.2, "stone_flatness": 0.1, "stone_spread": 5.0,
    "text_boxes": 1, "text_area": 0.6, "text_over_stone": 0, "text_look": 0.1,
    "stone_box": [0.2, 0.2, 0.8, 0.8], "traits": [0.0] * len(NAMES),
}  # fmt: skip
#: Settings with which a rule goes by its own signs alone, whatever the whole picture looks like.
SIGNS = {rule: {"doubt": 0.0, "likeness": 1.0} for rule in ("hand", "several", "no_stone")}
HAND = {"limb_share": 0.3, "limb_border": 0.2, "limb_spread": 4.0}
SKIN = {"skin_region_share": 0.3, "skin_border_share": 0.2}


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
    [chosen] = [
        candidate
        for candidate in load_rules({rule: SIGNS.get(rule, {}) | settings})
        if candidate.name == rule
    ]
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
        ("text", {"text_boxes": 3, "text": "Quartz"}, {"text_boxes": 5}, 3, 3),
        ("text", {"text_boxes": 2, "text": "Weight\n3.2 ct"}, {"text_boxes": 2, "text": "GEMS"}, 2, 2),
        ("watermark", {"text_over_stone": 7, "text": "GEMSHOP"}, {"text": "GEMSHOP"}, 7, 3),
        ("blank", {"stone_contrast": 3.0}, {"stone_contrast": 12.0}, 3, 10),
        ("blurred", {"sharpness": 4.0}, {"sharpness": 6.0}, 4, 5.2),
        ("exposure", {"brightest": 9.0}, {"brightest": 40.0, "darkest": 0.0}, 9, 30),
        ("exposure", {"darkest": 90.0}, {"darkest": 70.0, "brightest": 100.0}, 90, 83),
        ("exposure", {"clipped_share": 0.7}, {"clipped_share": 0.3}, 0.7, 0.4),
        ("hand", HAND, HAND | {"limb_spread": 20.0}, 0.2, 0.045),
        ("hand", HAND, HAND | {"limb_border": 0.04}, 0.2, 0.045),
        ("hand", SKIN, SKIN | {"skin_border_share": 0.04}, 0.3, 0.2),
        ("hand", SKIN, SKIN | {"background_uniformity": 0.95}, 0.3, 0.2),
        ("hand", {"background_residual": 4.0, "stone_share": 0.1}, {"background_residual": 4.0}, 4, 2.35),
        ("several", {"stones": 2}, {"stones": 1}, 2, 1),
        ("no_stone", {"stone_share": 0.0, "stone_contrast": 9.0}, {"stone_share": 0.0}, 0, 0.012),
        ("no_stone", {"stone_elongation": 6.0}, {"stone_elongation": 2.5}, 6, 3.2),
        ("no_stone", {"stone_solidity": 0.8, "stone_flatness": 0.5}, {"stone_solidity": 0.8}, 0.8, 0.88),
        (
            "no_stone",
            {"background_lab": [50.0, 12.0, 16.0], "stone_flatness": 0.3},
            {"background_lab": [50.0, 12.0, 16.0]},
            20,
            18,
        ),
        ("no_stone", {"stone_flatness": 0.7, "stone_spread": 0.5}, {"stone_flatness": 0.7}, 0.7, 0.55),
    ],
)
def test_thresholds(
    rule: str, dirty: dict[str, object], clean: dict[str, object], value: float, threshold: float
) -> None:
    hits = found(rule, images(dirty, clean, {"error": "truncated"}))
    assert [row for row, *_ in hits] == [0]
    assert hits[0][1:] == (pytest.approx(value), pytest.approx(threshold))


@pytest.mark.parametrize("line", ["GIA Report", "SIZE CHART", "Image coming soon", "IGI"])
def test_one_line_that_names_a_laboratory_or_a_chart_is_enough(line: str) -> None:
    assert [row for row, *_ in found("text", images({"text": line}, {"text": "Giant Igloo"}))] == [0]


def test_a_reason_quotes_what_was_read() -> None:
    [rule] = [rule for rule in load_rules({}) if rule.name == "text"]
    [reason] = rule.find(images({"text_boxes": 5, "text": "GIA Report\n3.20 carat"}))
    assert "'GIA Report'; '3.20 carat'" in reason.detail


def test_several_stones_can_be_kept() -> None:
    assert "several" not in {rule.name for rule in load_rules({"several": False})}
    assert found("several", images({"stones": 2}), stones=2) == []


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


@pytest.mark.parametrize("grey", [0, 60, 255])
@pytest.mark.parametrize("depth", [0.03, 0.08])
def test_a_frame_is_left_out(grey: int, depth: float) -> None:
    photo = photograph("Ruby", (3, 1), 0)
    height, width = photo.shape[:2]
    edge = round(depth * width)
    framed = cv2.copyMakeBorder(photo, *[edge] * 4, cv2.BORDER_CONSTANT, value=[grey] * 3)
    bare, inside = measure_pixels(photo), measure_pixels(framed)
    for name in ("stones", "stone_share", "stone_elongation", "limb_border", "background_uniformity"):
        assert inside[name] == pytest.approx(bare[name], abs=0.08), name
    sides = [width, height] * 2
    place = [side * share + edge for side, share in zip(sides, bare["stone_box"], strict=True)]
    around = [(side + 2 * edge) * share for side, share in zip(sides, inside["stone_box"], strict=True)]
    assert around == pytest.approx(place, abs=0.04 * width)


@pytest.mark.heavy
def test_the_rules_hold_on_the_demo_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scraper.demo_store.catalogue import build

    monkeypatch.chdir(tmp_path)
    taxonomy = read_taxonomy(ROOT / "labels/taxonomy.toml", ["sapphire", "blue_topaz"])
    catalogue = build(11, 0.2, dirt=3)
    result = judge_cases(catalogue, choose_cases(catalogue, 6, 18), ROOT / "params.yaml", taxonomy)
    labels, right, everything = score_labels(taxonomy, build(11, 4, dirt=0.01))
    for score in [*result.scores, labels]:
        assert score.cases >= 6, score
        assert score.precision >= 0.8, score
        assert score.recall >= 0.65, score
    assert len(result.lost) <= 0.02 * result.good, result.lost
    assert right == everything
