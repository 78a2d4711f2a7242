"""The class names of a list of links, resolved as in `clean`: unknown ones, and several of one image."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Literal

from curation.taxonomy.taxonomy import Label, Taxonomy
from scraper.stores.records import Link

#: How the classes of an image resolve: to the most specific of them, to the one that all of them name, to a
#: variety narrower than each; or the kind of problem.
Outcome = Literal["more_specific", "same_variety", "narrower", "conflict", "unknown"]


@dataclass(frozen=True)
class MultiListing:
    """A combination of classes, the number of images listed under it, and the label it resolves to."""

    classes: tuple[str, ...]
    images: int
    label: Label
    outcome: Outcome

    def __str__(self) -> str:
        problem, place = self.label.problem, f", {self.label.region}" if self.label.region else ""
        result = problem.text if problem else f"{self.label.variety}{place}"
        return f"{' + '.join(self.classes)} → {result}"


@dataclass(frozen=True)
class UnknownClass:
    """A class name that stands for no variety, and the number of links that have it.

    `description`: the name, for people, with what is known about it.
    """

    name: str
    links: int
    description: str

    def __str__(self) -> str:
        return self.description


@dataclass(frozen=True)
class ResolvedLinks:
    """`links`, `images`: numbers of links and of distinct image URLs; `listings`: the URLs under several
    classes; `unknown`: the class names that stand for no variety. Both begin with the most frequent.
    """

    links: int
    images: int
    listings: list[MultiListing] = field(default_factory=list)
    unknown: list[UnknownClass] = field(default_factory=list)

    def count(self, outcome: Outcome | None = None) -> int:
        """Number of image URLs under several classes, of all outcomes or one."""
        return sum(listing.images for listing in self.listings if outcome in (None, listing.outcome))

    def summary(self) -> dict[str, int]:
        """Number of links, of those with a class name of no variety, and of image URLs by outcome."""
        return {
            "links": self.links,
            "with a class name of no variety": sum(unknown.links for unknown in self.unknown),
            "image URLs": self.images,
            "under several classes": self.count(),
            "resolved to the more specific class": self.count("more_specific"),
            "several names of one variety": self.count("same_variety"),
            "resolved to a class narrower than each": self.count("narrower"),
            "true conflicts": self.count("conflict"),
            "only under unknown classes": self.count("unknown"),
        }


def resolve_links(links: list[Link], taxonomy: Taxonomy) -> ResolvedLinks:
    """Resolve the class names of the links, and every image URL listed under several of them."""
    classes: defaultdict[str, set[str]] = defaultdict(set)
    for link in links:
        classes[link.image_url].add(link.store_class)
    together = Counter(tuple(sorted(names)) for names in classes.values() if len(names) > 1)
    listings = []
    for names, images in sorted(together.items(), key=lambda item: (-item[1], item[0])):
        label = taxonomy.resolve(names)
        listings.append(MultiListing(names, images, label, _outcome(label, names, taxonomy)))
    return ResolvedLinks(len(links), len(classes), listings, _unknown(links, taxonomy))


def _unknown(links: list[Link], taxonomy: Taxonomy) -> list[UnknownClass]:
    counts = Counter(link.store_class for link in links)
    unknown = [
        UnknownClass(name, count, taxonomy.describe_unknown(name))
        for name, count in counts.items()
        if not taxonomy.meanings(name)
    ]
    return sorted(unknown, key=lambda each: (-each.links, each.name))


def _outcome(label: Label, names: tuple[str, ...], taxonomy: Taxonomy) -> Outcome:
    if label.problem:
        return label.problem.kind
    alone = [taxonomy.resolve([name]) for name in names if taxonomy.meanings(name)]
    if all(other == label for other in alone):
        return "same_variety"
    return "more_specific" if label in alone else "narrower"
