"""Why an image is dropped: fields for code, and a text for people."""

from typing import NamedTuple


class Finding(NamedTuple):
    """A reason to drop the image at index `row`, as a rule finds it.

    `kind` tells apart the variants of a rule; a rule with one variant leaves it out. The other fields are
    those of REASON (`curation/tables.py`).
    """

    row: int
    text: str
    kind: str | None = None
    measurement: str | None = None
    value: float | None = None
    threshold: float | None = None
    other_sha256: str | None = None


class Reason(NamedTuple):
    """Why the image at index `row` is dropped; the other fields are those of REASON, in its order."""

    row: int
    rule: str
    kind: str
    measurement: str | None
    value: float | None
    threshold: float | None
    other_sha256: str | None
    text: str

    @classmethod
    def of(cls, rule: str, found: Finding) -> "Reason":
        """The finding of a rule; the only kind of a rule has the rule's name."""
        return cls(
            found.row, rule, found.kind or rule, found.measurement, found.value, found.threshold,
            found.other_sha256, found.text,
        )  # fmt: skip
