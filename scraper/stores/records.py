"""The content of pages and link lists, whatever kind of store they come from."""

import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

from scraper.http.urls import LinkFault

#: Why a page is fetched; a probe is a page beyond a category's end, to learn how many pages there are.
Role = Literal["start", "category", "probe", "product"]

#: What the words of a page are about: what it shows is gone, or something else comes first.
Saying = Literal["", "gone", "wall"]


@dataclass(frozen=True)
class Product:
    """A product and the URLs of its images; everything but the URLs is untrusted text."""

    product_id: str
    title: str | None
    attributes: dict[str, str]
    images: list[str]


@dataclass(frozen=True)
class PageContent:
    """The content of one page; URLs are keys (see `url_key`).

    `next` are the pages that may be the next one, the best first; `next_declared`: the page calls that one
    the next. `product_links` counts the other products to which a product's page links. `left_out` counts the
    links that are not followed. `moved_to` is where the page was read instead of at its own URL. `digest` is
    the same for pages that say the same; `saying` is what that is about.
    """

    categories: list[tuple[str, str]] = field(default_factory=list)  # class name, URL
    products: list[str] = field(default_factory=list)
    next: list[str] = field(default_factory=list)
    next_declared: bool = False
    last: int | None = None
    product: Product | None = None
    product_links: int = 0
    left_out: dict[LinkFault, int] = field(default_factory=dict)
    moved_to: str | None = None
    digest: str = ""
    saying: Saying = ""

    @property
    def is_empty(self) -> bool:
        """Whether the page leads to no category, no product and no image."""
        return not (self.categories or self.products or (self.product and self.product.images))

    def to_json(self) -> str:
        """The form in which the crawl's state stores it."""
        left_out = {fault.value: count for fault, count in self.left_out.items()}
        return json.dumps({**asdict(self), "left_out": left_out})

    @classmethod
    def from_json(cls, text: str) -> "PageContent":
        """The inverse of `to_json`; also of what earlier versions stored."""
        values: dict[str, Any] = json.loads(text)
        product = values.pop("product")
        values["categories"] = [(name, url) for name, url in values["categories"]]
        if not isinstance(values["next"], list):  # version 2 and earlier: one page or none
            values["next"] = [values["next"]] if values["next"] else []
        left_out = {LinkFault(name): count for name, count in values.pop("left_out", {}).items()}
        return cls(**values, left_out=left_out, product=Product(**product) if product else None)


class Link(NamedTuple):
    """An image as one class lists it; the URL is a key (see `url_key`), the rest is untrusted text."""

    store_class: str
    image_url: str
    product_id: str | None = None


@dataclass(frozen=True)
class LinkList:
    """The links of a file in its order, repeats included; `notes` report the lines that were skipped."""

    links: list[Link] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


#: Longer texts are cut, characters: real titles, names and values are far shorter.
LONGEST_TEXT = 10_000

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def tidy(text: str) -> str:
    """Clean up untrusted text for storage: valid Unicode without control characters, single spaces, cut."""
    clean = " ".join(_CONTROL.sub(" ", text.encode("utf-8", "replace").decode()).split())
    return clean[:LONGEST_TEXT].rstrip()
