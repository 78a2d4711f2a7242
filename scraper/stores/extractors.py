"""Extractors, which read a field from a page: one class each, selected by `read` in a site's TOML.

To add an extractor, write its class here and add it to `Extractor`.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator

from gemkit.strict_model import StrictModel
from scraper.stores.element_text import text_of

if TYPE_CHECKING:
    from scraper.stores.document import Document


def check_selector(selector: str) -> str:
    """The selector, if it is valid CSS. Raises ValueError with what is wrong with it."""
    import soupsieve

    try:
        soupsieve.compile(selector)
    except soupsieve.SelectorSyntaxError as error:
        raise ValueError(f"is not a valid CSS selector ({str(error).splitlines()[0]})") from None
    return selector


class Css(StrictModel):
    """The text of the elements that match a selector, or one of their attributes."""

    read: Literal["css"]
    selector: str
    attribute: str | None = None

    _selector = field_validator("selector")(check_selector)

    def values(self, document: "Document") -> list[str]:
        """All values on the page, in document order; may be empty."""
        elements = document.soup.select(self.selector)
        if self.attribute is None:
            return [text for element in elements if (text := text_of(element).strip())]
        return [str(value) for element in elements if (value := element.get(self.attribute))]


class JsonLd(StrictModel):
    """A property of the page's JSON-LD `Product` (also in `@graph`, and of its variants)."""

    read: Literal["json-ld"]
    key: str

    def values(self, document: "Document") -> list[str]:
        """All values of the property; for an object (`ImageObject`, `Brand`), its URL or else its name."""
        return [text for product in document.products for text in _texts(product.get(self.key))]


def _texts(value: object) -> Iterator[str]:
    values = [value]
    while values:  # no recursion: untrusted JSON may be nested to any depth
        value = values.pop()
        if isinstance(value, list):
            values.extend(reversed(value))
        elif isinstance(value, dict):
            values.extend([value[key] for key in ("contentUrl", "url", "name") if value.get(key)][:1])
        elif isinstance(value, str | int | float) and str(value).strip():
            yield str(value)


class Url(StrictModel):
    """The first group of a regular expression that is searched for in the page's URL."""

    read: Literal["url"]
    pattern: str

    @field_validator("pattern")
    @classmethod
    def _one_group(cls, pattern: str) -> str:
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"is not a valid regular expression ({error})") from None
        if groups < 1:
            raise ValueError("needs a group (…) around the part to keep")
        return pattern

    def values(self, document: "Document") -> list[str]:
        """The part of the page's URL that the group matches, or an empty list."""
        part = self.part(document.url)
        return [part] if part else []

    def part(self, url: str) -> str | None:
        """The part of a URL that the group matches, or None."""
        match = re.search(self.pattern, url)
        return match[1] if match else None


Extractor = Annotated[Css | JsonLd | Url, Field(discriminator="read")]
