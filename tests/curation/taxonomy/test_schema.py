"""The project's taxonomy is valid, and an invalid one is rejected with a sentence for each problem."""

import tomllib
from pathlib import Path

import pytest

from curation.taxonomy.taxonomy import check_taxonomy, read_taxonomy
from gemkit.errors import UserError
from tests.helpers.commands import ROOT

PATH = ROOT / "labels/taxonomy.toml"


def test_the_taxonomy_is_valid_and_complete() -> None:
    assert check_taxonomy(PATH) == []
    taxonomy = read_taxonomy(PATH)
    for key, variety in taxonomy.varieties.items():
        properties = taxonomy.content.properties(key)
        span = properties.refractive_index
        assert properties.colours and properties.mohs and span is not None
        for parent in variety.parents:
            broad = taxonomy.content.properties(parent)
            assert broad.mohs and broad.mohs[0] <= properties.mohs[0], key
            assert broad.mohs[1] >= properties.mohs[1], key
            assert broad.refractive_index and span, key
            assert broad.refractive_index[0] <= span[0] <= span[1] <= broad.refractive_index[1], key


VALID = """
[group]
beryl = "Beryl group"
silicate = "Silicates"
[species.beryl]
name = "Beryl"
group = "beryl"
mohs = [7.5, 8]
refractive_index = [1.562, 1.602]
colours = ["green"]
[species.topaz]
name = "Topaz"
group = "silicate"
mohs = [8, 8]
refractive_index = [1.606, 1.644]
colours = ["blue"]
[variety.beryl]
name = "Beryl"
species = "beryl"
[variety.topaz]
name = "Topaz"
species = "topaz"
[ignored]
"Sale" = "an offer"
"""


def write(folder: Path, added: str, removed: str = "") -> Path:
    path = folder / "taxonomy.toml"
    path.write_text(VALID.replace(removed, "") + added)
    return path


def test_a_valid_taxonomy_is_read(tmp_path: Path) -> None:
    assert check_taxonomy(write(tmp_path, "")) == []
    assert set(tomllib.loads(VALID)["variety"]) == set(read_taxonomy(tmp_path / "taxonomy.toml").varieties)


@pytest.mark.parametrize(
    ("added", "words"),
    [
        ('[variety.a]\nname = "A"\nspecies = "opal"', "no species 'opal'"),
        ('[variety.a]\nname = "A"\ngroup = "garnet"', "no group 'garnet'"),
        ('[variety.a]\nname = "A"\nspecies = "beryl"\nparents = ["b"]', "no parent variety 'b'"),
        ('[variety.a]\nname = "A"\nspecies = "topaz"\nparents = ["beryl"]', "another species"),
        ('[variety.a]\nname = "beryls"\nspecies = "beryl"', "also stands for variety.beryl"),
        ('[variety.a]\nname = "A"\nspecies = "beryl"\nsynonyms = ["Topaz"]', "also stands for variety.topaz"),
        ('[variety.a]\nname = "Big A"\nspecies = "beryl"\nsynonyms = ["a, big"]', "are the same name"),
        ('[variety.a]\nname = "Sale"\nspecies = "beryl"', "'Sale' also stands for variety.a"),
        ('[variety.a]\nname = "!"\nspecies = "beryl"', "no letters"),
        ('[variety.a]\nname = "A"\nspecies = "beryl"\nparents = ["a"]', "cycle"),
        (
            '[variety.a]\nname = "A"\nspecies = "beryl"\ncut = "oval"',
            "unknown key 'variety.a.cut'; the keys are name, species",
        ),
        (
            '[variety.a]\nname = "A"\nspecies = "beryl"\ncolours = ["puce"]',
            "'variety.a.colours[0]' must be 'colourless'",
        ),
        ('[variety.a]\nname = "A"\nspecies = "beryl"\ngroup = "beryl"', "leave the group out"),
        ('[variety.a]\nname = "A"\nspecies = "beryl"\nmohs = [8, 7]', "variety.a: mohs must be"),
        ('[variety.a]\nname = "A"\nspecies = "beryl"\nmohs = [7, 11]', "variety.a: mohs must be"),
        ('[variety.a]\nname = "A"\nspecies = "beryl"\nmohs = [7]', "variety.a: mohs must be"),
        (
            '[variety.a]\nname = "A"\nspecies = "beryl"\nrefractive_index = [1.1, 1.5]',
            "refractive_index must",
        ),
        (
            '[variety.a]\nname = "A"\nspecies = "beryl"\nrefractive_index = [1.5, nan]',
            "refractive_index must",
        ),
        ('[variety.a]\nname = "A"\ngroup = "beryl"', "mohs is missing"),
        ('[variety.a]\nname = "A"', "no species, no group and no narrower"),
        ('[variety.a]\nspecies = "beryl"', "the key 'variety.a.name' is missing"),
        ('[species.a]\nname = "A"\ngroup = "beryl"', "'species.a.mohs' is missing"),
        ('[variety.A]\nname = "A"', "'variety.A': String should match pattern"),
        ('[variety.a]\nname = "A"\nspecies = "beryl"\nsynonyms = [""]', "'variety.a.synonyms[0]': String"),
        ("[variety.a", "not valid TOML"),
    ],
)
def test_an_invalid_taxonomy_is_rejected(tmp_path: Path, added: str, words: str) -> None:
    path = write(tmp_path, added)
    assert any(words in sentence for sentence in check_taxonomy(path))
    with pytest.raises(UserError, match=r"taxonomy\.toml"):
        read_taxonomy(path)


def test_a_species_without_a_variety_is_reported(tmp_path: Path) -> None:
    path = write(tmp_path, "", removed='[variety.topaz]\nname = "Topaz"\nspecies = "topaz"\n')
    assert check_taxonomy(path) == ["species.topaz: no variety belongs to it."]


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    entry = '[variety.{0}]\nname = "Beryl"\nspecies = "beryl"\nmohs = [0, 9]\n'
    assert len(check_taxonomy(write(tmp_path, entry.format("a") + entry.format("b")))) == 4


def test_a_longer_cycle_is_reported(tmp_path: Path) -> None:
    cycle = "\n".join(
        f'[variety.{key}]\nname = "{key}"\nspecies = "beryl"\nparents = ["{parent}"]'
        for key, parent in [("x", "y"), ("y", "z"), ("z", "y")]
    )
    with pytest.raises(UserError, match="cycle"):
        read_taxonomy(write(tmp_path, cycle))
