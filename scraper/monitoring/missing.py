"""What a crawl could not fetch, by class and reason; what the store refuses or has lost is not missing."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from gemkit.text import printable
from scraper.http.reason import Outcome
from scraper.monitoring.counted import counted

#: So many classes are printed, those that miss most.
_CLASSES = 20


@dataclass
class ClassCounts:
    """One class: `images` and `pages` that are missing, by reason.

    `known` counts its listed images and the product pages that could not be read, each as one image.
    `list_unread`: a page that lists its products could not be read, so what it lists is unknown.
    """

    known: int = 0
    images: Counter[Outcome] = field(default_factory=Counter)
    pages: Counter[Outcome] = field(default_factory=Counter)
    list_unread: bool = False

    @property
    def count(self) -> int:
        """Missing images and pages."""
        return self.images.total() + self.pages.total()

    @property
    def is_missing(self) -> bool:
        """Whether nothing of the class was fetched, or what it lists is unknown."""
        return self.list_unread or self.count == self.known > 0


@dataclass(frozen=True)
class UnreadPage:
    """A page that could not be read now or earlier, in the classes that link to it.

    `lists`: it lists products; otherwise it shows one.
    """

    classes: list[str]
    lists: bool
    outcome: Outcome


@dataclass
class Missing:
    """What is missing of a site: its classes, and each image and page once."""

    classes: dict[str, ClassCounts] = field(default_factory=dict)
    known: int = 0
    count: int = 0

    def add_page(self, page: UnreadPage) -> None:
        """Count a page; one that shows a product counts as one image."""
        if not page.lists:
            self.known += 1
            self.count += 1
        for counts in map(self.of_class, page.classes):
            counts.pages[page.outcome] += 1
            counts.known += 1
            counts.list_unread |= page.lists

    def of_class(self, name: str) -> ClassCounts:
        """The counts of a class."""
        return self.classes.setdefault(name, ClassCounts())

    @property
    def share(self) -> float:
        """The share of the images that is missing; an unread product page counts as one."""
        return self.count / self.known if self.known else 0.0

    @property
    def missing_classes(self) -> list[str]:
        """Names of the classes that are missing."""
        return sorted(name for name, counts in self.classes.items() if counts.is_missing)

    def exceeds(self, tolerated: float) -> bool:
        """Whether a class is missing, or a larger share of the images than that."""
        return bool(self.missing_classes) or self.share > tolerated

    def lines(self) -> list[str]:
        """What is missing as lines to print; the names are made printable."""
        by_class = self.lines_by_class()
        return [f"missing     {self.total}", *by_class] if by_class else []

    def lines_by_class(self) -> list[str]:
        """What is missing of each class, those first that miss most; the names are made printable."""
        short = {name: counts for name, counts in self.classes.items() if counts.count}
        ordered = sorted(short.items(), key=lambda item: (-item[1].is_missing, -item[1].count, item[0]))
        lines = [f"  {printable(name)}: {_counted(counts)}" for name, counts in ordered[:_CLASSES]]
        if len(ordered) > _CLASSES:
            lines.append(f"  and {counted(len(ordered) - _CLASSES, 'more class', 'more classes')}")
        return lines

    def to_json(self) -> dict[str, object]:
        """All counts; outcomes are text."""
        return {
            "images": self.count,
            "known": self.known,
            "share": round(self.share, 4),
            "missing_classes": self.missing_classes,
            "classes": {
                name: {
                    "images": {str(outcome): count for outcome, count in counts.images.items()},
                    "pages": {str(outcome): count for outcome, count in counts.pages.items()},
                }
                for name, counts in self.classes.items()
                if counts.count
            },
        }

    @property
    def total(self) -> str:
        """What is missing, in one phrase."""
        parts = []
        if classes := len(self.missing_classes):
            parts.append(f"{classes} of {counted(len(self.classes), 'class', 'classes')}")
        if self.count:
            parts.append(f"{self.count} of {counted(self.known, 'image')} ({self.share:.1%})")
        return f"{' and '.join(parts) or 'a part of some classes'} could not be fetched"


def _counted(counts: ClassCounts) -> str:
    parts = [*_phrases(counts.pages, "page"), *_phrases(counts.images, "image")]
    return ", ".join(parts)


def _phrases(outcomes: Counter[Outcome], noun: str) -> Iterable[str]:
    texts: Counter[str] = Counter()
    for outcome, count in outcomes.items():
        texts[outcome.reason.general if outcome.reason else outcome.status] += count
    for text, count in sorted(texts.items()):
        yield f"{counted(count, noun)} ({text})"
