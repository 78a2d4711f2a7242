"""Images that cannot be decoded: a few are skipped with a warning, more than 1 % is an error."""

from typing import NamedTuple

#: The largest tolerated share of them.
MAX_UNDECODABLE = 0.01

#: How many of them a message names.
_NAMED = 5


class UndecodableImage(NamedTuple):
    """Where an image is and why it cannot be decoded, by the kinds of `gemkit.image_codec`, with a text."""

    location: str
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.location}: {self.text}"


class UndecodableImages(list[str]):
    """Images that cannot be decoded, each with its location and reason; as text the first few."""

    def __str__(self) -> str:
        return "; ".join(self[:_NAMED]) + ("; …" if len(self) > _NAMED else "")
