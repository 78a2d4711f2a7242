"""Files that are no complete image: truncated, of another type, too large to decode."""

from collections.abc import Iterator

from curation.cleaning.image_table import Inventory
from curation.cleaning.rules import Reason
from gemkit.strict_model import StrictModel


class Settings(StrictModel):
    pass


def find(images: Inventory, settings: Settings) -> Iterator[Reason]:
    for row, error in enumerate(images.words("error")):
        if error is not None:
            yield Reason(row, None, None, error)
