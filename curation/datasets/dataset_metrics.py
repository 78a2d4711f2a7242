"""Numbers of images of a dataset by class and split: metrics/<dataset>/dataset.json and its plot."""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from curation.datasets.plan import Plan
from curation.datasets.records import SplitImage
from curation.tables import SPLITS


@dataclass(frozen=True)
class ClassCounts:
    """Of a class: its source images (`photos`), their groups, and its images by split."""

    photos: int
    groups: int
    images: dict[str, int]

    def to_json(self) -> dict[str, int]:
        """As in dataset.json, where each split is a key."""
        return {"photos": self.photos, "groups": self.groups, **self.images}


@dataclass(frozen=True)
class DatasetMetrics:
    """Of a dataset: images by split, its classes in order of label, and why varieties are excluded."""

    images: dict[str, int]
    classes: dict[str, ClassCounts]
    excluded: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """As in dataset.json."""
        return asdict(self) | {"classes": {name: counts.to_json() for name, counts in self.classes.items()}}

    def distribution(self) -> str:
        """A CSV table with one row for each class and split."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["class", "split", "images"])
        for variety, counts in self.classes.items():
            writer.writerows([variety, *count] for count in counts.images.items())
        return text.getvalue()


def count_images(plan: Plan, sources: Iterable[SplitImage]) -> DatasetMetrics:
    """Count the images of a dataset and their sources."""
    images: dict[str, Counter[str]] = defaultdict(Counter)
    groups: dict[str, set[str]] = defaultdict(set)
    used: Counter[str] = Counter()
    for source in sources:
        if source.sha256 in plan.augmented_views:
            images[source.variety][source.split] += len(plan.augmented_views[source.sha256])
            groups[source.variety].add(source.group_id)
            used[source.variety] += 1
    return DatasetMetrics(
        images={name: sum(counts[name] for counts in images.values()) for name in SPLITS},
        classes={
            variety: ClassCounts(
                used[variety], len(groups[variety]), {name: images[variety][name] for name in SPLITS}
            )
            for variety in plan.classes
        },
        excluded=plan.excluded,
    )
