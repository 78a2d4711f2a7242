"""Counts in sentences."""


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A count and what is counted: `1 class`, `1,200 classes`; `plural` unless an s makes it."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
