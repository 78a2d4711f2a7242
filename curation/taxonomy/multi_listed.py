"""Images that a list of links puts under several classes: what each comes to, decided as in `clean`."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Literal

from curation.taxonomy.taxonomy import Label, Taxonomy
from scraper.stores.records import Link

Outcome = Literal["more specific class", "same variety", "narrower than each", "conflict", "unknown"]


@dataclass(frozen=True)
class Listing:
    """The classes that some images stand under together, and what their names come to."""

    classes: tuple[str, ...]
    images: int
    label: Label
    outcome: Outcome

    def __str__(self) -> str:
        place = f", {self.label.region}" if self.label.region else ""
        return f"{' + '.join(self.classes)} → {self.label.problem or f'{self.label.variety}{place}'}"


@dataclass(frozen=True)
class DoubleListings:
    """`images` counts all distinct image URLs, `listings` holds those under several classes, most first."""

    images: int
    listings: list[Listing] = field(default_factory=list)

    def count(self, outcome: Outcome | None = None) -> int:
        """Image URLs under several classes, all or those of one outcome."""
        return sum(listing.images for listing in self.listings if outcome in (None, listing.outcome))

    def summary(self) -> dict[str, int]:
        """How many image URLs came to what."""
        return {
            "image URLs": self.images,
            "under several classes": self.count(),
            "resolved to the more specific class": self.count("more specific class"),
            "several names of one variety": self.count("same variety"),
            "resolved to what is narrower than each": self.count("narrower than each"),
            "true conflicts": self.count("conflict"),
            "under unknown classes alone": self.count("unknown"),
        }


def double_listings(links: list[Link], taxonomy: Taxonomy) -> DoubleListings:
    """Resolve every image URL that stands under several classes."""
    classes: defaultdict[str, set[str]] = defaultdict(set)
    for link in links:
        classes[link.image_url].add(link.store_class)
    together = Counter(tuple(sorted(names)) for names in classes.values() if len(names) > 1)
    listings = []
    for names, images in sorted(together.items(), key=lambda item: (-item[1], item[0])):
        label = taxonomy.resolve(names)
        listings.append(Listing(names, images, label, _outcome(label, names, taxonomy)))
    return DoubleListings(len(classes), listings)


def _outcome(label: Label, names: tuple[str, ...], taxonomy: Taxonomy) -> Outcome:
    alone = [taxonomy.resolve([name]) for name in names if taxonomy.meanings(name)]
    if not alone:
        return "unknown"
    if label.variety is None:
        return "conflict"
    if all(other == label for other in alone):
        return "same variety"
    return "more specific class" if label in alone else "narrower than each"
