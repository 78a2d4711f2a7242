"""Images whose class names are unknown, or name two varieties that exclude each other."""

from collections.abc import Iterator

from curation.inventory import Inventory
from curation.rules import Reason, RuleSettings

PHASE = "labels"


class Settings(RuleSettings):
    pass


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    for row, label in enumerate(images.labels):
        if label.problem is not None:
            yield Reason(row, None, None, label.problem)
