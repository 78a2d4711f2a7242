"""The text of an element of a page."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import Tag

#: Characters that are read.
_MAX_TEXT = 10_000


def text_of(element: "Tag") -> str:
    """An element's text, the first 10,000 characters of it: elements within elements repeat it."""
    parts, size = [], 0
    for part in element.strings:
        parts.append(part)
        size += len(part) + 1
        if size > _MAX_TEXT:
            break
    return " ".join(parts)[:_MAX_TEXT]
