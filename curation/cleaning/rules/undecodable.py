"""Files that are not a complete image: truncated, of another type, or too large to decode."""

from collections.abc import Iterator

from curation.cleaning.image_table import ImageTable
from curation.cleaning.reasons import Finding
from gemkit.strict_model import StrictModel


class Settings(StrictModel):
    """The rule has no settings."""


def find(images: ImageTable, settings: Settings) -> Iterator[Finding]:
    for row, error in enumerate(images.strings("error")):
        if error is not None:
            yield Finding(row, error)
