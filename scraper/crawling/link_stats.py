"""Statistics of image links: distinct images, classes, and the images that classes share."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from scraper.stores.records import Link


@dataclass(frozen=True)
class ClassCount:
    """A class: its links, its distinct images, and how many of those no other class lists."""

    name: str
    links: int
    distinct: int
    exclusive: int


class LinkStatistics:
    """Counts over links; each image counts once, however often it is listed."""

    def __init__(self, links: Iterable[Link]):
        self.classes: dict[str, list[str]] = {}  # of each image
        self.products: set[str] = set()
        self.images_of_products = 0
        self._links: Counter[str] = Counter()
        for link in links:
            self._links[link.store_class] += 1
            classes = self.classes.setdefault(link.image_url, [])
            if not classes and link.product_id is not None:
                self.images_of_products += 1
            if link.store_class not in classes:
                classes.append(link.store_class)
            if link.product_id is not None:
                self.products.add(link.product_id)

    @property
    def links(self) -> int:
        """Links, repeats included."""
        return self._links.total()

    @property
    def distinct(self) -> int:
        """Distinct images."""
        return len(self.classes)

    @property
    def in_several_classes(self) -> int:
        """Images that more than one class lists."""
        return sum(len(classes) > 1 for classes in self.classes.values())

    def pairs(self) -> Counter[tuple[str, str]]:
        """How many images two classes share."""
        return Counter(pair for classes in self.classes.values() for pair in combinations(sorted(classes), 2))

    def by_class(self) -> list[ClassCount]:
        """The classes, most distinct images first."""
        distinct = Counter(name for classes in self.classes.values() for name in classes)
        exclusive = Counter(classes[0] for classes in self.classes.values() if len(classes) == 1)
        counts = [
            ClassCount(name, self._links[name], distinct[name], exclusive[name]) for name in self._links
        ]
        return sorted(counts, key=lambda count: (-count.distinct, count.name))
