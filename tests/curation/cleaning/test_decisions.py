"""People's decisions override the rules."""

import csv
from pathlib import Path

import pytest

from curation.cleaning.clean import BY_HAND
from gemkit.errors import UserError
from tests.helpers.measured_shop import Shop, faceted_stone


@pytest.fixture
def shop(workspace: Path) -> Shop:
    return Shop()


def decide(*lines: tuple[str, str, str]) -> None:
    with Path("labels/decisions.csv").open("a", newline="") as file:
        csv.writer(file).writerows([*line, "seen"] for line in lines)


def test_people_override_rules(shop: Shop) -> None:
    texted = shop.add(faceted_stone(1), ["Ruby"], ["a"], text_boxes=9, text="REPORT")
    good = shop.add(faceted_stone(2), ["Ruby"], ["b"])
    wrong = shop.add(faceted_stone(3), ["Ruby", "Red Spinel"], ["c"])
    wrong_copy = shop.add(faceted_stone(3, 180), ["Ruby"], ["d"])
    broken = shop.add(None, ["Ruby"], ["e"])
    decide(
        (texted, "keep", ""), (good, "drop", ""), (wrong_copy, "relabel", "red_spinel"), (broken, "keep", "")
    )
    rows = shop.clean()
    assert rows[texted]["keep"]
    assert rows[texted]["rules"] == {"text"}
    assert not rows[good]["keep"]
    assert rows[good]["rules"] == {BY_HAND}
    assert rows[good]["reasons"][0]["text"] == "seen"
    assert (rows[wrong]["variety"], rows[wrong]["keep"]) == ("red_spinel", True)
    assert not rows[broken]["keep"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("abc", "drop", ""), "not the SHA-256"),
        (("a" * 64, "burn", ""), "'burn' is not a decision"),
        (("a" * 64, "relabel", "unobtainium"), "no variety 'unobtainium'"),
        (("a" * 64, "relabel", ""), "'relabel' needs a variety"),
        (("a" * 64, "drop", "ruby"), "'relabel' needs a variety"),
    ],
)
def test_an_invalid_decision_is_named_with_its_line(
    shop: Shop, line: tuple[str, str, str], words: str
) -> None:
    shop.add(faceted_stone(1), ["Ruby"], ["a"])
    decide(line)
    with pytest.raises(UserError, match="line 2") as error:
        shop.clean()
    assert words in str(error.value)
