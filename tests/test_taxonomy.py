"""Store names come to one label; a taxonomy that contradicts itself is refused in one sentence."""

from pathlib import Path

import pytest
from conftest import ROOT, command
from hypothesis import given
from hypothesis import strategies as st

from curation.taxonomy import Label, normalise, read_taxonomy
from gemkit.errors import UserError

PATH = ROOT / "labels/taxonomy.toml"
TAXONOMY = read_taxonomy(PATH)
MERGED = read_taxonomy(PATH, ["sapphire", "blue_topaz"])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"Ruby"}, ("ruby", "corundum", None)),
        ({"Ruby", "Burmese Ruby"}, ("ruby", "corundum", "Myanmar")),
        ({"Burmese Ruby", "Mozambique Ruby"}, ("ruby", "corundum", None)),
        ({"Garnet", "Almandine Garnet"}, ("almandine_garnet", "garnet", None)),
        ({"Topaz", "Blue Topaz", "London Blue Topaz"}, ("london_blue_topaz", "topaz", None)),
        ({"Neelam"}, ("blue_sapphire", "corundum", None)),
        ({"Hessonite (Gomed)"}, ("hessonite", "garnet", None)),
        ({"Yellow Sapphire - Pukhraj"}, ("yellow_sapphire", "corundum", None)),
        ({"TIGER’S EYE"}, ("tigers_eye", "quartz", None)),
        ({"Ruby", "Clearance Sale"}, ("ruby", "corundum", None)),
    ],
)
def test_names_come_to_the_most_specific_variety(names: set[str], expected: tuple[str, ...]) -> None:
    assert TAXONOMY.resolve(names) == Label(*expected)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"Ruby", "Red Spinel"}, "conflict: Red Spinel, Ruby"),
        ({"Blue Sapphire", "Pink Sapphire"}, "conflict"),
        ({"Clearance Sale"}, "'Clearance Sale'"),
        (set(), "none given"),
    ],
)
def test_a_name_too_few_or_too_many_is_a_problem(names: set[str], words: str) -> None:
    label = TAXONOMY.resolve(names)
    assert label.variety is None
    assert words in (label.problem or "")


def test_a_merged_variety_takes_in_the_narrower_ones() -> None:
    assert MERGED.resolve({"Blue Sapphire", "Pink Sapphire"}).variety == "sapphire"
    assert MERGED.resolve({"Swiss Blue Topaz", "Topaz"}).variety == "blue_topaz"


def test_every_class_of_the_demo_store_is_known() -> None:
    from scraper.demo_store.catalogue import build

    for product in build(3, 0.5).products.values():
        label = MERGED.resolve(product.store_classes)
        if label.variety is None:
            assert "conflict" in (label.problem or ""), product.store_classes
        else:
            assert normalise(MERGED.varieties[label.variety].name) == normalise(product.variety)


@given(st.text())
def test_any_name_is_survived(name: str) -> None:
    label = TAXONOMY.resolve({name})
    assert (label.variety is None) == (label.problem is not None)
    assert normalise(normalise(name)) == normalise(name)


def write(path: Path, variety: str) -> Path:
    path.write_text(
        '[species]\nberyl = {name = "Beryl", mohs = [7, 8]}\ntopaz = {name = "Topaz"}\n'
        '[variety.beryl]\nname = "Beryl"\nspecies = "beryl"\n' + variety
    )
    return path


@pytest.mark.parametrize(
    ("variety", "words"),
    [
        ('[variety.a]\nname = "A"\nspecies = "opal"', "no species 'opal'"),
        ('[variety.a]\nname = "A"\nspecies = "beryl"\nparent = "b"', "no parent variety 'b'"),
        ('[variety.a]\nname = "A"\nspecies = "topaz"\nparent = "beryl"', "another species"),
        ('[variety.a]\nname = "beryl"\nspecies = "beryl"', "also stands for variety.beryl"),
        ('[variety.a]\nname = "A"\nspecies = "beryl"\nparent = "a"', "circle"),
        ('[variety.a]\nname = "A"\nspecies = "beryl"\ncolour = "red"', "variety.a.colour"),
        ("[variety.a]\nname = 'A'", "variety.a.species"),
        ("[variety.a", "not valid TOML"),
    ],
)
def test_a_wrong_taxonomy_is_refused(tmp_path: Path, variety: str, words: str) -> None:
    with pytest.raises(UserError, match=r"taxonomy\.toml") as error:
        read_taxonomy(write(tmp_path / "taxonomy.toml", variety))
    assert words in str(error.value)


def test_circles_of_many_end(tmp_path: Path) -> None:
    circle = "\n".join(
        f'[variety.{key}]\nname = "{key}"\nspecies = "beryl"\nparent = "{parent}"'
        for key, parent in [("x", "y"), ("y", "z"), ("z", "y")]
    )
    with pytest.raises(UserError, match="circle"):
        read_taxonomy(write(tmp_path / "taxonomy.toml", circle))


def test_the_commands(workspace: Path) -> None:
    assert "varieties" in command("gemcurate", "taxonomy", "check", cwd=workspace).stdout
    assert "Myanmar" in command("gemcurate", "taxonomy", "find", "burmese ruby", cwd=workspace).stdout
    assert (
        "Kryptonite" in command("gemcurate", "taxonomy", "find", "Kryptonite", cwd=workspace, expect=2).stderr
    )


def test_regions_belong_to_the_names_that_were_given() -> None:
    assert TAXONOMY.resolve({"Emerald"}).region is None
    assert TAXONOMY.resolve({"Colombian Emerald", "Emerald"}).region == "Colombia"
