"""Images whose class names are unknown, or name two mutually exclusive varieties."""

from collections.abc import Iterator

from curation.cleaning.image_table import ImageTable
from curation.cleaning.rules import Reason
from gemkit.strict_model import StrictModel

PHASE = "labels"


class Settings(StrictModel):
    pass


def find(images: ImageTable, settings: Settings) -> Iterator[Reason]:
    for row, label in enumerate(images.labels):
        if label.problem is not None:
            yield Reason(row, None, None, label.problem)
