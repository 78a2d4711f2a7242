"""Choose the classes of a dataset, and how often and in which orientations each image is in it."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from curation.datasets.orientations import Orientation, balanced_pairs, orientations
from curation.datasets.params import DatasetParams
from curation.datasets.records import SplitImage

IDENTITY = Orientation(0, False)


class Plan(NamedTuple):
    """The classes of a dataset, in order of label, and each source image's orientations in it."""

    classes: list[str]
    excluded: dict[str, str]  # variety → reason, for people
    augmented_views: dict[str, list[Orientation]]  # sha256 → orientations

    @property
    def image_count(self) -> int:
        """Number of images in the dataset."""
        return sum(len(views) for views in self.augmented_views.values())


def make_plan(sources: Sequence[SplitImage], settings: DatasetParams, orientation_count: int) -> Plan:
    """Choose classes and orientations for the images. Only training images are augmented."""
    training: dict[str, list[SplitImage]] = {image.variety: [] for image in sources}
    for image in sources:
        if image.split == "train":
            training[image.variety].append(image)
    all_orientations = orientations(orientation_count)
    classes, excluded, views = [], {}, defaultdict[str, list[Orientation]](list)
    for variety, members in sorted(training.items()):
        if reason := _too_few(len(members), settings, orientation_count):
            excluded[variety] = reason
            continue
        classes.append(variety)
        order = _interleaved_groups(members)
        if settings.kind == "plain":
            views.update({sha256: [IDENTITY] for sha256 in order})
        else:
            for source, orientation in islice(balanced_pairs(len(order), orientation_count), settings.target):
                views[order[source]].append(all_orientations[orientation])
    kept = set(classes)
    views.update(
        {image.sha256: [IDENTITY] for image in sources if image.split != "train" and image.variety in kept}
    )
    return Plan(classes, excluded, {sha256: sorted(views[sha256]) for sha256 in sorted(views)})


def _too_few(sources: int, settings: DatasetParams, orientation_count: int) -> str | None:
    if not sources:
        return "no training image"
    possible = sources * orientation_count
    if settings.minimum is not None and possible < settings.minimum:
        images = "1 training image" if sources == 1 else f"{sources} training images"
        turns = "1 orientation" if orientation_count == 1 else f"{orientation_count} orientations"
        make = "makes" if sources == 1 else "make"
        return f"{images} in {turns} {make} {possible}, fewer than {settings.minimum}"
    return None


def _interleaved_groups(members: Sequence[SplitImage]) -> list[str]:
    """The training images of a class with its groups interleaved, the smallest group first.

    If some images get one more view than others, no group gets a second extra view before every other group
    with images left has one.
    """
    sizes = Counter(image.group_id for image in members)
    ranks: Counter[str] = Counter()
    order = []
    for image in sorted(members, key=lambda image: _shuffled(image.sha256)):
        group = image.group_id
        order.append((ranks[group], sizes[group], image.sha256))
        ranks[group] += 1
    return [sha256 for *_, sha256 in sorted(order, key=lambda item: item[:2])]


def _shuffled(sha256: str) -> bytes:
    return hashlib.sha256(f"order {sha256}".encode()).digest()
