"""What a crawl could not fetch, by class and reason.

What the store refuses or has lost is missing only where nothing of a class was ever fetched.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from gemkit.text import printable
from scraper.http.reason import Outcome
from scraper.monitoring.counted import counted
from scraper.tables import ReasonKind

#: So many classes are printed, those that miss most.
_CLASSES = 20

#: The will of the store or of the user: a class that is refused so is not missing.
_WILL = {
    *(ReasonKind.ROBOTS, ReasonKind.X_ROBOTS_TAG, ReasonKind.META_ROBOTS, ReasonKind.CONTENT_SIGNAL),
    *(ReasonKind.HOST_NOT_ALLOWED, ReasonKind.PRIVATE_ADDRESS),
}


@dataclass
class ClassCounts:
    """One class: `images` and `pages` that are missing, by reason.

    `known` counts its listed images and the product pages that could not be read, each as one image.
    `list_unread`: a page that lists its products could not be read, so what it lists is unknown.
    `kept_pages` could not be read either, but the images that they showed earlier are known.
    `lost_images` and `lost_pages` are refused, gone or without an image. `stored`: a file of the class is.
    """

    known: int = 0
    images: Counter[Outcome] = field(default_factory=Counter)
    pages: Counter[Outcome] = field(default_factory=Counter)
    list_unread: bool = False
    kept_pages: Counter[Outcome] = field(default_factory=Counter)
    lost_images: Counter[Outcome] = field(default_factory=Counter)
    lost_pages: Counter[Outcome] = field(default_factory=Counter)
    stored: bool = False

    @property
    def count(self) -> int:
        """Missing images and pages."""
        return self.images.total() + self.pages.total()

    @property
    def is_missing(self) -> bool:
        """Whether nothing of the class was fetched, or what it lists is unknown."""
        lost = not self.stored and any(not _is_will(outcome) for outcome in self._lost)
        return self.list_unread or self.count == self.known > 0 or lost

    @property
    def is_refused(self) -> bool:
        """Whether nothing of the class was fetched because the store or the user does not want it."""
        return not self.is_missing and not self.stored and bool(self._lost)

    @property
    def is_named(self) -> bool:
        """Whether the class is to be named among what is missing."""
        return bool(self.count or self.kept_pages) or self.is_missing

    @property
    def all_pages(self) -> Counter[Outcome]:
        """The pages to name: those that were lost too, if nothing else was fetched."""
        return self.pages + self.kept_pages + (Counter() if self.stored else self.lost_pages)

    @property
    def all_images(self) -> Counter[Outcome]:
        """The images to name."""
        return self.images + (Counter() if self.stored else self.lost_images)

    @property
    def _lost(self) -> Counter[Outcome]:
        return self.lost_images + self.lost_pages


@dataclass(frozen=True)
class UnreadPage:
    """A page that could not be read now or earlier, in the classes that link to it.

    `lists`: it lists products; otherwise it shows one. `kept`: what it showed earlier is known. `lost`: the
    store refuses it, has it no more, or shows no image there; see `ClassCounts`.
    """

    classes: list[str]
    lists: bool
    outcome: Outcome
    kept: bool = False
    lost: bool = False


@dataclass
class Missing:
    """What is missing of a site: its classes, and each image and page once; `kept` counts pages."""

    classes: dict[str, ClassCounts] = field(default_factory=dict)
    known: int = 0
    count: int = 0
    kept: int = 0

    def add_page(self, page: UnreadPage) -> None:
        """Count a page; one that shows a product counts as one image, unless its images are known."""
        self.kept += page.kept
        if not (page.lists or page.kept or page.lost):
            self.known += 1
            self.count += 1
        for counts in map(self.of_class, page.classes):
            if page.lost or page.kept:
                (counts.lost_pages if page.lost else counts.kept_pages)[page.outcome] += 1
                continue
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
        """Whether a class is missing, or a larger share of the images, or as many unread pages."""
        share = max(self.share, self.kept / max(self.known, 1))
        return bool(self.missing_classes) or share > tolerated

    def lines(self) -> list[str]:
        """What is missing as lines to print; the names are made printable."""
        by_class = self.lines_by_class()
        lines = [f"missing     {self.total}", *by_class] if by_class else []
        refused = {name: counts for name, counts in self.classes.items() if counts.is_refused}
        title = f"refused     {counted(len(refused), 'class', 'classes')}, as the store or the site file says"
        return lines + ([title, *_lines(refused)] if refused else [])

    def lines_by_class(self) -> list[str]:
        """What is missing of each class, those first that miss most; the names are made printable."""
        return _lines({name: counts for name, counts in self.classes.items() if counts.is_named})

    def to_json(self) -> dict[str, object]:
        """All counts; outcomes are text."""
        return {
            "images": self.count,
            "known": self.known,
            "share": round(self.share, 4),
            "missing_classes": self.missing_classes,
            "classes": {
                name: {
                    "images": {str(outcome): count for outcome, count in counts.all_images.items()},
                    "pages": {str(outcome): count for outcome, count in counts.all_pages.items()},
                }
                for name, counts in self.classes.items()
                if counts.is_named
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
        if self.kept:
            parts.append(f"{counted(self.kept, 'page')} with known images")
        return f"{' and '.join(parts) or 'a part of some classes'} could not be fetched"


def _is_will(outcome: Outcome) -> bool:
    return outcome.reason is not None and outcome.reason.kind in _WILL


def _lines(classes: dict[str, ClassCounts]) -> list[str]:
    ordered = sorted(classes.items(), key=lambda item: (-item[1].is_missing, -item[1].count, item[0]))
    lines = [f"  {printable(name)}: {_counted(counts)}" for name, counts in ordered[:_CLASSES]]
    if len(ordered) > _CLASSES:
        lines.append(f"  and {counted(len(ordered) - _CLASSES, 'more class', 'more classes')}")
    return lines


def _counted(counts: ClassCounts) -> str:
    parts = [*_phrases(counts.all_pages, "page"), *_phrases(counts.all_images, "image")]
    return ", ".join(parts)


def _phrases(outcomes: Counter[Outcome], noun: str) -> Iterable[str]:
    texts: Counter[str] = Counter()
    for outcome, count in outcomes.items():
        texts[outcome.reason.general if outcome.reason else outcome.status] += count
    for text, count in sorted(texts.items()):
        yield f"{counted(count, noun)} ({text})"
