"""People's decisions override the rules."""

import csv
import re
import shutil
from pathlib import Path

import pytest

from curation.cleaning.clean import BY_HAND
from curation.cleaning.decisions import COLUMNS
from gemkit.errors import UserError
from gemkit.project import Project
from tests.helpers.commands import called
from tests.helpers.measured_shop import Shop, faceted_stone
from tests.helpers.project import set_param


@pytest.fixture
def shop(home: Project) -> Shop:
    return Shop(home)


def decide(shop: Shop, *lines: tuple[str, str, str]) -> None:
    """Write labels/decisions.csv; the first decision is in line 2."""
    shop.project.labels.mkdir()
    with (shop.project.labels / "decisions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *([*line, "seen"] for line in lines)])


def test_people_override_rules(shop: Shop) -> None:
    texted = shop.add(faceted_stone(1), ["Ruby"], ["a"], text_boxes=9, text="REPORT")
    good = shop.add(faceted_stone(2), ["Ruby"], ["b"])
    wrong = shop.add(faceted_stone(3), ["Ruby", "Red Spinel"], ["c"])
    wrong_copy = shop.add(faceted_stone(3, 180), ["Ruby"], ["d"])
    broken = shop.add(None, ["Ruby"], ["e"])
    decide(
        shop,
        (texted, "keep", ""),
        (good, "drop", ""),
        (wrong_copy, "relabel", "red_spinel"),
        (broken, "keep", ""),
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
    decide(shop, line)
    with pytest.raises(UserError, match="line 2") as error:
        shop.clean()
    assert words in str(error.value)


@pytest.mark.parametrize("other", [("drop", ""), ("relabel", "ruby")])
def test_two_decisions_that_contradict_each_other_are_an_error(shop: Shop, other: tuple[str, str]) -> None:
    image = shop.add(faceted_stone(1), ["Ruby"], ["a"])
    decide(shop, (image, "keep", ""), ("f" * 64, "drop", ""), (image, *other))
    with pytest.raises(UserError, match=rf"decisions\.csv', lines 2 and 4: they contradict.*{image}"):
        shop.clean()


def test_the_same_decision_may_be_written_twice(shop: Shop) -> None:
    image = shop.add(faceted_stone(1), ["Ruby"], ["a"])
    decide(shop, (image, "drop", ""), (image, "drop", ""))
    assert shop.clean()[image]["rules"] == {BY_HAND}


def test_decisions_on_images_that_no_site_has_are_noted(workspace: Path) -> None:
    shop = Shop(Project(workspace))
    shutil.rmtree(shop.project.labels)
    image = shop.add(faceted_stone(1), ["Ruby"], ["a"])
    unknown = [(f"{number:064x}", "drop", "") for number in range(6)]
    decide(shop, unknown[0], (image, "keep", ""), *unknown[1:])
    assert shop.run_stage().unused_decisions == [2, 4, 5, 6, 7, 8]

    set_param(workspace, "sites", ["shop"])
    set_param(workspace, "clean", {"decisions": "labels/decisions.csv"})
    done = called("gemcurate", "clean", cwd=workspace)
    said = " ".join(done.stderr.split())
    assert "'labels/decisions.csv' has 6 decisions on images that no site has" in said
    assert "the first in lines 2, 4, 5, 6, 7." in said
    assert re.search(r"conflicts +│ +none", done.stdout), "an empty section says so"


def test_class_names_that_the_taxonomy_does_not_know_are_noted(workspace: Path) -> None:
    shop = Shop(Project(workspace))
    for number in range(2):
        shop.add(faceted_stone(number), ["Tanzanit"], [str(number)])
    shop.add(faceted_stone(2), ["Ruby"], ["2"])
    ((text, images),) = shop.run_stage().unknown_names.items()
    assert "Tanzanit" in text and images == 2

    set_param(workspace, "sites", ["shop"])
    note = called("gemcurate", "clean", cwd=workspace).stderr
    assert note == f"2 images dropped: {text}\n"
