"""Images that a list of links puts under several classes, resolved as in `clean`."""

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
class MultiListedImages:
    """`images`: number of distinct image URLs; `listings`: those under several classes, most images first."""

    images: int
    listings: list[MultiListing] = field(default_factory=list)

    def count(self, outcome: Outcome | None = None) -> int:
        """Number of image URLs under several classes, of all outcomes or one."""
        return sum(listing.images for listing in self.listings if outcome in (None, listing.outcome))

    def summary(self) -> dict[str, int]:
        """Number of image URLs by outcome."""
        return {
            "image URLs": self.images,
            "under several classes": self.count(),
            "resolved to the more specific class": self.count("more_specific"),
            "several names of one variety": self.count("same_variety"),
            "resolved to a class narrower than each": self.count("narrower"),
            "true conflicts": self.count("conflict"),
            "only under unknown classes": self.count("unknown"),
        }


def resolve_multi_listed(links: list[Link], taxonomy: Taxonomy) -> MultiListedImages:
    """Resolve every image URL listed under several classes."""
    classes: defaultdict[str, set[str]] = defaultdict(set)
    for link in links:
        classes[link.image_url].add(link.store_class)
    together = Counter(tuple(sorted(names)) for names in classes.values() if len(names) > 1)
    listings = []
    for names, images in sorted(together.items(), key=lambda item: (-item[1], item[0])):
        label = taxonomy.resolve(names)
        listings.append(MultiListing(names, images, label, _outcome(label, names, taxonomy)))
    return MultiListedImages(len(classes), listings)


def _outcome(label: Label, names: tuple[str, ...], taxonomy: Taxonomy) -> Outcome:
    if label.problem:
        return label.problem.kind
    alone = [taxonomy.resolve([name]) for name in names if taxonomy.meanings(name)]
    if all(other == label for other in alone):
        return "same_variety"
    return "more_specific" if label in alone else "narrower"
