"""What pages and lists say, whatever kind of store they come from."""

import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

#: What a page is fetched for; a probe tells how many pages a category has.
Role = Literal["start", "category", "probe", "product"]


@dataclass(frozen=True)
class Product:
    """A product and the URLs of its images; strangers' text but for the URLs."""

    product_id: str
    title: str | None
    attributes: dict[str, str]
    images: list[str]


@dataclass(frozen=True)
class Found:
    """All that one page says; URLs are keys (see `url_key`)."""

    categories: list[tuple[str, str]] = field(default_factory=list)  # class name, URL
    products: list[str] = field(default_factory=list)
    next: str | None = None
    last: int | None = None
    product: Product | None = None

    def to_json(self) -> str:
        """As kept in the crawl's state."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Found":
        """The inverse of `to_json`."""
        values: dict[str, Any] = json.loads(text)
        product = values.pop("product")
        values["categories"] = [(name, url) for name, url in values["categories"]]
        return cls(**values, product=Product(**product) if product else None)


def tidy(text: str) -> str:
    """Strangers' text as it is kept: valid Unicode without control characters, single spaces."""
    return " ".join(_CONTROL.sub(" ", text.encode("utf-8", "replace").decode()).split())


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Link(NamedTuple):
    """An image as one class lists it; the URL is a key (see `url_key`), the rest strangers' text."""

    store_class: str
    image_url: str
    product_id: str | None = None


@dataclass(frozen=True)
class LinkList:
    """The links of a file in its order, repeats included; `notes` tell of lines that can't be used."""

    links: list[Link] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
