"""Files that are no complete image: truncated, of another type, too large to decode."""

from collections.abc import Iterator

from curation.inventory import Inventory
from curation.rules import Reason, RuleSettings


class Settings(RuleSettings):
    pass


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    for row, error in enumerate(images.words("error")):
        if error is not None:
            yield Reason(row, None, None, error)
