"""Images under several classes are resolved and counted by outcome; unknown classes are listed."""

from pathlib import Path

import pytest

from benchmarks._shared import EXTERNAL
from curation.taxonomy.resolve_links import resolve_links
from curation.taxonomy.taxonomy import read_taxonomy
from scraper.stores.config import LinkFile
from scraper.stores.link_list import read_links
from scraper.stores.records import Link
from tests.helpers.commands import ROOT, called

TAXONOMY = read_taxonomy(ROOT / "labels/taxonomy.toml")
LINKS = EXTERNAL / "gempundit/image_links.csv.gz"


@pytest.mark.heavy
def test_the_multi_listed_images_of_a_real_store_are_resolved() -> None:
    if not LINKS.exists():
        pytest.skip(f"no list of links in {EXTERNAL}")
    found = resolve_links(read_links(LinkFile(links=LINKS)).links, TAXONOMY)
    assert (found.images, found.count(), found.count("unknown")) == (73432, 6482, 0)
    assert found.count("more_specific") == 6347
    assert (found.count("same_variety"), found.count("narrower")) == (84, 42)
    conflicts = [listing for listing in found.listings if listing.outcome == "conflict"]
    assert [(listing.classes, listing.images) for listing in conflicts] == [
        (("Angel Skin Coral", "Red Coral (Moonga)"), 9)
    ]
    assert str(found.listings[0]) == "Australian Opal + Opal → opal, Australia"


def test_multi_listed_images_are_counted_by_outcome() -> None:
    listed = {
        "a": ["Ruby"],
        "b": ["Ruby", "Burmese Ruby"],
        "c": ["Ruby", "Manik", "Clearance Sale"],
        "d": ["Beryl", "Cats Eye"],
        "e": ["Ruby", "Emerald"],
        "f": ["Rings", "Things"],
    }
    links = [Link(name, f"http://x.com/{image}") for image, names in listed.items() for name in names * 2]
    assert list(resolve_links(links, TAXONOMY).summary().values()) == [24, 6, 6, 5, 1, 1, 1, 1, 1]


def test_class_names_of_no_variety_are_listed_with_their_links() -> None:
    names = ["Emrald", "Things", "Things", "Ruby", "Navratna"]
    links = [Link(name, f"http://x.com/{number}") for number, name in enumerate(names)]
    unknown = resolve_links(links, TAXONOMY).unknown
    assert [(each.name, each.links) for each in unknown] == [("Things", 2), ("Emrald", 1), ("Navratna", 1)]
    assert str(unknown[0]) == "'Things'"
    assert "spelt like 'Emerald'" in str(unknown[1]) and "a set of nine" in str(unknown[2])


def test_the_command_resolves_a_list_of_links(workspace: Path) -> None:
    lines = ["class,image_url", *(f"{name},http://x.com/1.jpg" for name in ("Opal", "Australian Opal"))]
    (workspace / "links.csv").write_text("\n".join(lines))
    said = called("gemcurate", "taxonomy", "links", "links.csv", cwd=workspace).stdout
    assert "1  Australian Opal + Opal → opal, Australia" in said
    assert "no variety, with" not in said
    with (workspace / "links.csv").open("a") as file:
        file.write("\nMarbles,http://x.com/2.jpg")
    said = called("gemcurate", "taxonomy", "links", "links.csv", cwd=workspace).stdout
    assert "Class names of no variety, with their links:\n      1  'Marbles'" in said
    called("gemcurate", "taxonomy", "links", "none.csv", cwd=workspace, expect=2)
