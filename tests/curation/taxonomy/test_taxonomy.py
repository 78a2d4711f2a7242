"""A store's class names resolve to one label."""

import csv
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._shared import EXTERNAL, GEMS68
from curation.taxonomy.spelling import normalise
from curation.taxonomy.taxonomy import Label, Problem, read_taxonomy
from gemkit.errors import UserError
from scraper.demo_store.catalogue import build
from tests.helpers.commands import ROOT

PATH = ROOT / "labels/taxonomy.toml"
TAXONOMY = read_taxonomy(PATH)
MERGED = read_taxonomy(PATH, ["sapphire", "blue_topaz"])

#: Class names of real stores, which are next to the project on some machines.
CATEGORIES = EXTERNAL / "gempundit/category_pages.csv.gz"
IMAGES = GEMS68 / "train"

OF_NO_VARIETY = {"Navratna", "Sang-E-Maryam"}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"Ruby"}, ("ruby", "corundum", None)),
        ({"Ruby", "Burmese Ruby"}, ("ruby", "corundum", "Myanmar")),
        ({"Burmese Ruby", "Mozambique Ruby"}, ("ruby", "corundum", None)),
        ({"Garnet", "Almandine Garnet"}, ("almandine_garnet", "almandine", None)),
        ({"Garnet"}, ("garnet", None, None)),
        ({"Topaz", "Blue Topaz", "London Blue Topaz"}, ("london_blue_topaz", "topaz", None)),
        ({"Neelam"}, ("blue_sapphire", "corundum", None)),
        ({"Hessonite (Gomed)"}, ("hessonite", "grossular", None)),
        ({"Yellow Sapphire - Pukhraj"}, ("yellow_sapphire", "corundum", None)),
        ({"TIGER’S EYE"}, ("tigers_eye", "quartz", None)),
        ({"Loose Natural Tanzanites"}, ("tanzanite", "zoisite", None)),
        ({"Color Change Sapphires"}, ("colour_change_sapphire", "corundum", None)),
        ({"Pakistan Emerald/Swat Emerald"}, ("emerald", "beryl", "Pakistan")),
        ({"Ruby", "Clearance Sale"}, ("ruby", "corundum", None)),
        ({"Cats Eye", "Apatite Cat's Eye"}, ("apatite_cats_eye", "apatite", None)),
        ({"Cats Eye", "Moonstone"}, ("cats_eye_moonstone", "orthoclase", None)),
        ({"Alexandrite", "Alexandrite Cats Eye", "Cats Eye"}, ("alexandrite_cats_eye", "chrysoberyl", None)),
        ({"Jade", "Nephrite"}, ("nephrite", "actinolite", None)),
    ],
)
def test_names_resolve_to_the_most_specific_variety(names: set[str], expected: tuple[str, ...]) -> None:
    assert TAXONOMY.resolve(names) == Label(*expected)


@pytest.mark.parametrize(
    ("names", "conflicting"),
    [
        ({"Ruby", "Red Spinel"}, ("Red Spinel", "Ruby")),
        ({"Corundum", "Ruby", "Spinel", "Red Spinel"}, ("Red Spinel", "Ruby")),
        ({"Blue Sapphire", "Pink Sapphire"}, ("Blue Sapphire", "Pink Sapphire")),
        ({"Garnet", "Cats Eye"}, ("Cat's Eye", "Garnet")),
    ],
)
def test_names_of_varieties_that_exclude_each_other_are_a_conflict(
    names: set[str], conflicting: tuple[str, ...]
) -> None:
    expected = Problem("conflict", conflicting, f"conflict: {', '.join(conflicting)}")
    assert TAXONOMY.resolve(names) == Label(None, problem=expected)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"Clearance Sale"}, "'Clearance Sale' (an offer"),
        ({"Navratna"}, "'Navratna' (a set of nine"),
        ({"Tanzanit"}, "'Tanzanit' (spelt like 'Tanzanite')"),
        ({"Ruby (Synthetic)"}, "'Ruby (Synthetic)'"),
        (set(), "none given"),
    ],
)
def test_names_of_no_variety_are_a_problem(names: set[str], words: str) -> None:
    label = TAXONOMY.resolve(names)
    assert label.variety is None
    assert label.problem
    assert (label.problem.kind, label.problem.names) == ("unknown", tuple(names))
    assert words in label.problem.text


def test_a_merged_variety_absorbs_narrower_ones() -> None:
    assert MERGED.resolve({"Blue Sapphire", "Pink Sapphire"}).variety == "sapphire"
    assert MERGED.resolve({"Swiss Blue Topaz", "Topaz"}).variety == "blue_topaz"
    eyes = read_taxonomy(PATH, ["cats_eye"])
    assert eyes.resolve({"Apatite", "Cats Eye"}) == Label("cats_eye")


def test_two_merged_varieties_must_not_share_a_third() -> None:
    with pytest.raises(UserError, match="'apatite' and 'cats_eye' both contain 'apatite_cats_eye'"):
        read_taxonomy(PATH, ["apatite", "cats_eye"])


def test_every_class_of_the_demo_store_is_known() -> None:
    for product in build(3, 0.5).products.values():
        label = MERGED.resolve(product.store_classes)
        if label.variety is None:
            assert label.problem and label.problem.kind == "conflict", product.store_classes
        else:
            assert normalise(MERGED.varieties[label.variety].name) == normalise(product.variety)


@given(st.text())
def test_any_text_is_accepted_as_a_name(name: str) -> None:
    label = TAXONOMY.resolve({name})
    assert (label.variety is None) == (label.problem is not None)
    assert normalise(normalise(name)) == normalise(name)


NAMES = st.sampled_from([meaning.name for meaning in TAXONOMY.content.names() if "(" not in meaning.name])


@given(NAMES, st.randoms(use_true_random=False), st.sampled_from(" -_,."))
def test_a_known_name_is_found_in_any_notation(name: str, random, mark: str) -> None:
    words = [random.choice([str.upper, str.lower, str.title])(word) for word in name.split()]
    random.shuffle(words)
    assert TAXONOMY.resolve({f" {mark.join(words)}{mark}"}) == TAXONOMY.resolve({name})


@given(NAMES, st.data())
def test_a_misspelt_name_never_gives_a_label(name: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(name) - 1))
    wrong = f"{name[:place]}q{name[place:]}"
    assert TAXONOMY.resolve({wrong}).variety is None


def test_every_real_name_is_resolved_or_ignored_with_a_reason() -> None:
    if not (CATEGORIES.exists() and IMAGES.exists()):
        pytest.skip(f"no class names of stores in {EXTERNAL}")
    with gzip.open(CATEGORIES, "rt", encoding="utf-8") as file:
        names = {row["class"] for row in csv.DictReader(file)}
    assert len(names) == 222
    folders = {folder.name for folder in IMAGES.iterdir()}
    assert len(folders) == 68
    for name in names | folders:
        label = TAXONOMY.resolve({name})
        if name in OF_NO_VARIETY:
            assert TAXONOMY.ignored(name)
        else:
            assert label.variety is not None, label.problem
    places = {name: TAXONOMY.resolve({name}).region for name in names}
    assert len([place for place in places.values() if place]) == 28
    assert places["Tahitian Pearls"] == "French Polynesia"


def test_the_region_comes_from_the_given_names() -> None:
    assert TAXONOMY.resolve({"Emerald"}).region is None
    assert TAXONOMY.resolve({"Colombian Emerald", "Emerald"}).region == "Colombia"
