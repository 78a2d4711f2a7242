"""Each rule drops what it should and nothing else, on synthetic measurements."""

import pytest

from curation.cleaning.measurements import MEASUREMENTS
from curation.cleaning.rule_set import drops_below, load_rules, meaning, rule_names
from gemkit.errors import UserError
from tests.helpers.synthetic_measurements import findings, reasons, synthetic_images

HAND = {"border_component_share": 0.3, "border_component_run": 0.2, "border_component_spread": 4.0}
SKIN = {"skin_region_share": 0.3, "skin_border_share": 0.2}


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
        ("hand", HAND, HAND | {"border_component_spread": 20.0}, 0.2, 0.045),
        ("hand", HAND, HAND | {"border_component_run": 0.04}, 0.2, 0.045),
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
def test_each_threshold_is_applied(
    rule: str, dirty: dict[str, object], clean: dict[str, object], value: float, threshold: float
) -> None:
    hits = findings(rule, synthetic_images(dirty, clean, {"error": "truncated"}))
    assert [row for row, *_ in hits] == [0]
    assert hits[0][1:] == (pytest.approx(value), pytest.approx(threshold))


@pytest.mark.parametrize(
    ("rule", "dirty", "kind", "measurement"),
    [
        ("small", {"width": 99}, "small", "shorter_side"),
        ("shape", {"width": 1300}, "shape", "aspect_ratio"),
        ("blank", {"stone_contrast": 3.0}, "blank", "stone_contrast"),
        ("blurred", {"sharpness": 4.0}, "blurred", "sharpness"),
        ("exposure", {"brightest": 9.0}, "dark", "brightest"),
        ("exposure", {"darkest": 90.0}, "bright", "darkest"),
        ("exposure", {"clipped_share": 0.7}, "clipped", "clipped_share"),
        ("text", {"text_boxes": 3, "text": "Quartz"}, "boxes", "text_boxes"),
        ("watermark", {"text_over_stone": 7, "text": "GEMSHOP"}, "watermark", "text_over_stone"),
        ("hand", HAND, "border_component", "border_component_run"),
        ("hand", SKIN, "skin", "skin_region_share"),
        ("hand", {"background_residual": 4.0, "stone_share": 0.1}, "palm", "background_residual"),
        ("several", {"stones": 2}, "count", "stones"),
        ("no_stone", {"stone_share": 0.0, "stone_contrast": 9.0}, "empty", "stone_share"),
        ("no_stone", {"stone_elongation": 6.0}, "slender", "stone_elongation"),
        ("no_stone", {"stone_solidity": 0.8, "stone_flatness": 0.5}, "ragged", "stone_solidity"),
        ("no_stone", {"stone_flatness": 0.7, "stone_spread": 0.5}, "plain", "stone_flatness"),
    ],
)
def test_a_reason_names_its_kind_and_its_measurement(
    rule: str, dirty: dict[str, object], kind: str, measurement: str
) -> None:
    images = synthetic_images({}, dirty)
    [reason] = reasons(rule, images)
    assert (reason.rule, reason.kind, reason.measurement) == (rule, kind, measurement)
    assert measurement in MEASUREMENTS
    assert images.floats(measurement)[1] == reason.value
    assert reason.value is not None and reason.threshold is not None
    assert drops_below(rule, measurement) == (reason.value < reason.threshold)


def test_the_first_sign_of_an_image_counts() -> None:
    both = HAND | SKIN
    assert [reason.kind for reason in reasons("hand", synthetic_images(both, SKIN))] == [
        "border_component", "skin",
    ]  # fmt: skip


@pytest.mark.parametrize("content_class", ["hand", "several", "no_stone"])
def test_the_classifier_names_the_probability_of_its_class(content_class: str) -> None:
    images = synthetic_images({})
    probability = images.content_predictions.probability(content_class)[0]
    [reason] = reasons(content_class, images, min_probability=probability / 2)
    assert (reason.kind, reason.measurement) == ("classifier", f"{content_class}_probability")
    assert (reason.value, reason.threshold) == (probability, probability / 2)


def test_the_numbers_of_the_text_rule_are_of_its_boxes_or_lines() -> None:
    found = reasons("text", synthetic_images({"text": "Weight\n3.2 ct"}, {"text": "IGI"}))
    assert [(reason.kind, reason.measurement) for reason in found] == [
        ("lines", "text_lines"),
        ("word", None),
    ]


@pytest.mark.parametrize("line", ["GIA Report", "SIZE CHART", "Image coming soon", "IGI"])
def test_one_line_naming_a_laboratory_or_a_chart_is_enough(line: str) -> None:
    assert [
        row for row, *_ in findings("text", synthetic_images({"text": line}, {"text": "Giant Igloo"}))
    ] == [0]


def test_a_reason_quotes_the_text_that_was_read() -> None:
    [reason] = reasons("text", synthetic_images({"text_boxes": 5, "text": "GIA Report\n3.20 carat"}))
    assert "'GIA Report'; '3.20 carat'" in reason.text


def test_the_meaning_of_a_rule_is_plain_text() -> None:
    assert "'several: false' in params.yaml keeps them" in meaning("several")
    assert not [name for name in rule_names() if "`" in meaning(name) or not meaning(name)]


def test_several_stones_can_be_kept() -> None:
    assert "several" not in load_rules({"several": False}).settings()
    assert findings("several", synthetic_images({"stones": 2}), stones=2) == []


def test_a_setting_changes_the_threshold() -> None:
    assert findings("small", synthetic_images({"width": 99}), side=50) == []


def test_an_undecodable_image_is_dropped() -> None:
    assert findings("undecodable", synthetic_images({}, {"error": "truncated"})) == [(1, None, None)]


def test_all_rules_run_unless_switched_off() -> None:
    assert sorted(load_rules({}).settings()) == rule_names()
    off = {"text": False, "exact_duplicate": False, "near_duplicate": False}
    assert set(rule_names()) - set(load_rules({**off, "small": None}).settings()) == set(off)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"astrology": {}}, "no rule 'astrology'"),
        ({"small": {"side": -1}}, "rules.small.side"),
        ({"text": {"boxes": "three"}}, "rules.text.boxes"),
        ({"hand": {"colour": 1}}, "rules.hand.colour"),
    ],
)
def test_an_invalid_setting_is_named(settings: dict[str, dict[str, object]], words: str) -> None:
    with pytest.raises(UserError) as error:
        load_rules(settings)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        *((rule, "likeness", "min_probability") for rule in ("hand", "several", "no_stone")),
        *((rule, "doubt", "veto_probability") for rule in ("hand", "several", "no_stone")),
        ("no_stone", "limb_spread", "border_component_spread"),
        ("near_duplicate", "unexplained", "residual_variance"),
    ],
)
def test_an_old_setting_names_its_new_name(rule: str, old: str, new: str) -> None:
    with pytest.raises(UserError) as error:
        load_rules({rule: {old: 0.5}})
    assert f"in 'rules.{rule}' '{old}' is now '{new}'; rename the key" in str(error.value)
