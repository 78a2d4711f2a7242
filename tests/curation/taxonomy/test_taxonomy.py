"""Store names come to one label; a taxonomy that contradicts itself is refused in one sentence."""

import csv
import gzip
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._shared import GEMS68, SHARED
from curation.taxonomy.multi_listed import double_listings
from curation.taxonomy.spelling import normalise
from curation.taxonomy.taxonomy import Label, check_taxonomy, read_taxonomy
from gemkit.errors import UserError
from scraper.stores.config import LinkFile
from scraper.stores.link_list import read_links
from scraper.stores.records import Link
from tests.helpers.commands import ROOT, called

PATH = ROOT / "labels/taxonomy.toml"
TAXONOMY = read_taxonomy(PATH)
MERGED = read_taxonomy(PATH, ["sapphire", "blue_topaz"])

#: Real stores' names and links lie beside the project, where they are there at all.
CATEGORIES = SHARED / "gempundit/category_pages.csv.gz"
LINKS = SHARED / "gempundit/image_links.csv.gz"
PHOTOS = GEMS68 / "train"

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
def test_names_come_to_the_most_specific_variety(names: set[str], expected: tuple[str, ...]) -> None:
    assert TAXONOMY.resolve(names) == Label(*expected)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"Ruby", "Red Spinel"}, "conflict: Red Spinel, Ruby"),
        ({"Corundum", "Ruby", "Spinel", "Red Spinel"}, "conflict: Red Spinel, Ruby"),
        ({"Blue Sapphire", "Pink Sapphire"}, "conflict"),
        ({"Garnet", "Cats Eye"}, "conflict: Cat's Eye, Garnet"),
        ({"Clearance Sale"}, "'Clearance Sale' (an offer"),
        ({"Navratna"}, "'Navratna' (a set of nine"),
        ({"Tanzanit"}, "'Tanzanit' (spelt like 'Tanzanite')"),
        ({"Ruby (Synthetic)"}, "'Ruby (Synthetic)'"),
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
    eyes = read_taxonomy(PATH, ["cats_eye"])
    assert eyes.resolve({"Apatite", "Cats Eye"}) == Label("cats_eye")


def test_two_merged_varieties_must_not_share_a_third() -> None:
    with pytest.raises(UserError, match="'apatite' and 'cats_eye' both take in 'apatite_cats_eye'"):
        read_taxonomy(PATH, ["apatite", "cats_eye"])


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


def test_normalising_twice_is_normalising_once() -> None:
    for code in range(0x20000):
        form = normalise(f"a{chr(code)}s")
        assert normalise(form) == form, hex(code)


NAMES = st.sampled_from([meaning.name for meaning in TAXONOMY.content.names() if "(" not in meaning.name])


@given(NAMES, st.randoms(use_true_random=False), st.sampled_from(" -_,."))
def test_a_known_name_is_found_however_it_is_written(name: str, random, mark: str) -> None:
    words = [random.choice([str.upper, str.lower, str.title])(word) for word in name.split()]
    random.shuffle(words)
    assert TAXONOMY.resolve({f" {mark.join(words)}{mark}"}) == TAXONOMY.resolve({name})


@given(NAMES, st.data())
def test_a_misspelt_name_is_never_a_label(name: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(name) - 1))
    wrong = f"{name[:place]}q{name[place:]}"
    assert TAXONOMY.resolve({wrong}).variety is None


def test_every_real_name_is_resolved_or_left_out_with_a_reason() -> None:
    if not (CATEGORIES.exists() and PHOTOS.exists()):
        pytest.skip(f"no store's names in {SHARED}")
    with gzip.open(CATEGORIES, "rt", encoding="utf-8") as file:
        names = {row["class"] for row in csv.DictReader(file)}
    assert len(names) == 222
    folders = {folder.name for folder in PHOTOS.iterdir()}
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


def test_every_doubly_listed_image_of_a_real_store_is_resolved() -> None:
    if not LINKS.exists():
        pytest.skip(f"no list of links in {SHARED}")
    double = double_listings(read_links(LinkFile(links=LINKS)).links, TAXONOMY)
    assert (double.images, double.count(), double.count("unknown")) == (73432, 6482, 0)
    assert double.count("more specific class") == 6347
    assert (double.count("same variety"), double.count("narrower than each")) == (84, 42)
    conflicts = [listing for listing in double.listings if listing.outcome == "conflict"]
    assert [(listing.classes, listing.images) for listing in conflicts] == [
        (("Angel Skin Coral", "Red Coral (Moonga)"), 9)
    ]
    assert str(double.listings[0]) == "Australian Opal + Opal → opal, Australia"


def test_doubly_listed_images_are_counted_by_what_they_come_to() -> None:
    listed = {
        "a": ["Ruby"],
        "b": ["Ruby", "Burmese Ruby"],
        "c": ["Ruby", "Manik", "Clearance Sale"],
        "d": ["Beryl", "Cats Eye"],
        "e": ["Ruby", "Emerald"],
        "f": ["Rings", "Things"],
    }
    links = [Link(name, f"http://x.com/{image}") for image, names in listed.items() for name in names * 2]
    assert list(double_listings(links, TAXONOMY).summary().values()) == [6, 5, 1, 1, 1, 1, 1]


def test_the_taxonomy_is_sound_and_complete() -> None:
    assert check_taxonomy(PATH) == []
    for key, variety in TAXONOMY.varieties.items():
        properties = TAXONOMY.content.properties(key)
        span = properties.refractive_index
        assert properties.colours and properties.mohs and span is not None
        for parent in variety.parents:
            broad = TAXONOMY.content.properties(parent)
            assert broad.mohs and broad.mohs[0] <= properties.mohs[0], key
            assert broad.mohs[1] >= properties.mohs[1], key
            assert broad.refractive_index and span, key
            assert broad.refractive_index[0] <= span[0] <= span[1] <= broad.refractive_index[1], key


SOUND = """
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
    path.write_text(SOUND.replace(removed, "") + added)
    return path


def test_a_sound_taxonomy_is_read(tmp_path: Path) -> None:
    assert check_taxonomy(write(tmp_path, "")) == []
    assert set(tomllib.loads(SOUND)["variety"]) == set(read_taxonomy(tmp_path / "taxonomy.toml").varieties)


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
        ('[variety.a]\nname = "A"\nspecies = "beryl"\nparents = ["a"]', "circle"),
        ('[variety.a]\nname = "A"\nspecies = "beryl"\ncut = "oval"', "'variety.a.cut' is no key"),
        ('[variety.a]\nname = "A"\nspecies = "beryl"\ncolours = ["puce"]', "variety.a.colours.0"),
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
        ('[variety.a]\nspecies = "beryl"', "'variety.a.name' is missing"),
        ('[species.a]\nname = "A"\ngroup = "beryl"', "'species.a.mohs' is missing"),
        ("[variety.a", "not valid TOML"),
    ],
)
def test_a_wrong_taxonomy_is_refused(tmp_path: Path, added: str, words: str) -> None:
    path = write(tmp_path, added)
    assert any(words in sentence for sentence in check_taxonomy(path))
    with pytest.raises(UserError, match=r"taxonomy\.toml"):
        read_taxonomy(path)


def test_orphans_are_found(tmp_path: Path) -> None:
    path = write(tmp_path, "", removed='[variety.topaz]\nname = "Topaz"\nspecies = "topaz"\n')
    assert check_taxonomy(path) == ["species.topaz: no variety is of it."]


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    entry = '[variety.{0}]\nname = "Beryl"\nspecies = "beryl"\nmohs = [0, 9]\n'
    assert len(check_taxonomy(write(tmp_path, entry.format("a") + entry.format("b")))) == 4


def test_circles_of_many_end(tmp_path: Path) -> None:
    circle = "\n".join(
        f'[variety.{key}]\nname = "{key}"\nspecies = "beryl"\nparents = ["{parent}"]'
        for key, parent in [("x", "y"), ("y", "z"), ("z", "y")]
    )
    with pytest.raises(UserError, match="circle"):
        read_taxonomy(write(tmp_path, circle))


def test_the_commands(workspace: Path) -> None:
    assert "varieties" in called("gemcurate", "taxonomy", "check", cwd=workspace).stdout
    said = called("gemcurate", "taxonomy", "find", "burmese ruby", cwd=workspace).stdout
    assert all(word in said for word in ("Myanmar", "Corundum", "1.757 to 1.779", "tells the region"))
    said = called("gemcurate", "taxonomy", "find", "Colombian Emrald", cwd=workspace).stdout
    assert "spelling of 'Colombian Emerald'" in " ".join(said.split())
    said = called("gemcurate", "taxonomy", "find", "Rubi", cwd=workspace, expect=2).stderr
    assert "'Rubi' is not in" in said
    assert said.count("'") == 10 and "'Ruby'" in said
    said = called("gemcurate", "taxonomy", "find", "Navratna", cwd=workspace, expect=2).stderr
    assert "a set of nine" in said


def test_check_tells_each_finding_and_ends_in_2(workspace: Path) -> None:
    with (workspace / "labels/taxonomy.toml").open("a") as file:
        file.write('[variety.a]\nname = "Ruby"\nspecies = "corundum"\nmohs = [9, 12]\n')
    said = called("gemcurate", "taxonomy", "check", cwd=workspace, expect=2).stderr
    assert "'Ruby' also stands for variety.ruby" in said
    assert "2 findings" in said


def test_links_are_resolved_by_a_command(workspace: Path) -> None:
    lines = ["class,image_url", *(f"{name},http://x.com/1.jpg" for name in ("Opal", "Australian Opal"))]
    (workspace / "links.csv").write_text("\n".join(lines))
    said = called("gemcurate", "taxonomy", "links", "links.csv", cwd=workspace).stdout
    assert "1  Australian Opal + Opal → opal, Australia" in said
    called("gemcurate", "taxonomy", "links", "none.csv", cwd=workspace, expect=2)


def test_regions_belong_to_the_names_that_were_given() -> None:
    assert TAXONOMY.resolve({"Emerald"}).region is None
    assert TAXONOMY.resolve({"Colombian Emerald", "Emerald"}).region == "Colombia"
