"""A shop some of whose images, product pages or category pages are broken, each in the same way."""

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pyarrow.parquet as pq

from benchmarks._unique_jpegs import template, with_comment
from benchmarks.crawling._faulty_host import CUT, RESET, Answer, Host, Request, http

Level = Literal["image", "product", "category"]
Position = Literal["first", "last", "spread"]
Form = Literal["html", "links"]

#: Longer than a crawler waits for an answer, seconds; it bounds how long a thread of the server lives.
_TOO_LATE = 20.0

MAX_IMAGE_BYTES = 100_000
_CHALLENGE = b"<!DOCTYPE html><title>Just a moment...</title><p>Verify you are human.</p>"

#: Nothing listens at this port.
_CLOSED = "127.0.0.1:1"


@cache
def _gzip_bomb() -> bytes:
    return gzip.compress(bytes(50_000_000), 1)


def _by_the_second(content: bytes) -> Answer:
    return [step for position in range(20) for step in (content[position : position + 1], 1.0)]


#: How a URL may be broken for good: the answer, made from the one that it would have without the fault.
WAYS: dict[str, Callable[[bytes], Answer]] = {
    "500": lambda good: [http(status=500)],
    "502": lambda good: [http(status=502)],
    "503": lambda good: [http(status=503)],
    "reset": lambda good: [RESET],
    "cut off": lambda good: [good[:-20], CUT],
    "stalled body": lambda good: [good[:-20], _TOO_LATE, CUT],
    "gzip bomb": lambda good: [http(_gzip_bomb(), Content_Encoding="gzip")],
    "to closed port": lambda good: [http(status=302, Location=f"http://{_CLOSED}/x.jpg")],
    "to a 404": lambda good: [http(status=302, Location="/gone")],
    "to nowhere": lambda good: [http(status=302)],
    "slow headers": _by_the_second,
    "no answer": lambda good: [_TOO_LATE, CUT],
    "challenge": lambda good: [http(_CHALLENGE, 403, Content_Type="text/html")],
    "oversized": lambda good: [http(bytes(MAX_IMAGE_BYTES + 1))],
}


@dataclass(frozen=True)
class Damage:
    """`count` of the images, product pages or category pages are broken in one of WAYS, at a `position`."""

    way: str = "500"
    count: int = 0
    level: Level = "image"
    position: Position = "first"

    def numbers(self, units: int) -> set[int]:
        """Which of so many units are broken."""
        if self.position == "spread":
            return {number * units // self.count for number in range(self.count)}
        first = 0 if self.position == "first" else units - self.count
        return set(range(first, first + self.count))


@dataclass
class BrokenShop:
    """A shop of `units` images, which are on the hosts `cdns` in turn; the pages have a host of their own.

    With damage to images, a product has six of them and a category nine products; with damage to product
    pages, each product has one image; with damage to category pages, each category has one product.
    """

    units: int
    damage: Damage = field(default_factory=Damage)
    cdns: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.broken = self.damage.numbers(self.units)
        self.per_product = 6 if self.damage.level == "image" else 1
        self.per_category = 1 if self.damage.level == "category" else 9
        self.images = [f"/img/{number:04}.jpg" for number in range(self.units)]
        self.good = {path for number, path in enumerate(self.images) if number not in self.broken}

    def url(self, path: str) -> str:
        """The URL of an image."""
        return f"http://{self.cdns[int(path[5:9]) % len(self.cdns)]}{path}"

    def answer(self, path: str) -> Answer:
        """The answer of either host."""
        kind, _, number = path.strip("/").removesuffix(".jpg").partition("/")
        content = self._content(kind, int(number) if number.isdigit() else 0, path)
        if content is None:
            return [http(status=404)]
        damaged = kind == {"image": "img", "product": "p", "category": "c"}[self.damage.level]
        if damaged and int(number) in self.broken:
            return WAYS[self.damage.way](http(content))
        return [http(content)]

    def _content(self, kind: str, number: int, path: str) -> bytes | None:
        products = -(-self.units // self.per_product)
        match kind:
            case "img":
                return with_comment(template(40), path)
            case "p":
                first = number * self.per_product
                shown = self.images[first : first + self.per_product]
                return "".join(f'<img src="{self.url(image)}">' for image in shown).encode()
            case "c":
                first = number * self.per_category
                listed = range(first, min(first + self.per_category, products))
                return "".join(f'<a class="product" href="/p/{product}">x</a>' for product in listed).encode()
            case "gems":
                categories = range(-(-products // self.per_category))
                return "".join(f'<a class="class" href="/c/{n}">Class {n}</a>' for n in categories).encode()
        return None


@dataclass(frozen=True)
class Served:
    """A shop while its hosts run."""

    shop: BrokenShop
    pages: Host
    cdns: list[Host]

    @property
    def cdn(self) -> Host:
        """The first host of images."""
        return self.cdns[0]

    def site(self, folder: Path, form: Form, limits: str) -> str:
        """Write the site file into a project, and the list of links that it may use; returns its name."""
        text = _HTML if form == "html" else _LINKS
        (folder / "shop.toml").write_text(
            text.format(pages=self.pages.name, images=json.dumps([*self.shop.cdns, _CLOSED]), closed=_CLOSED)
            + f"[limits]\nmax_image_bytes = {MAX_IMAGE_BYTES}\nmax_page_bytes = {MAX_IMAGE_BYTES}\n{limits}\n"
        )
        lines = "".join(f"Ruby,{self.shop.url(path)}\n" for path in self.shop.images)
        (folder / "links.csv").write_text(f"class,image_url\n{lines}")
        return "shop.toml"

    def log(self) -> list[Request]:
        """All requests so far, in order."""
        return sorted(request for host in (self.pages, *self.cdns) for request in host.log)


@contextmanager
def serve(shop: BrokenShop, cdns: int = 1) -> Iterator[Served]:
    """Serve the shop until the block ends, its images from so many hosts."""
    with ExitStack() as stack:
        pages, *images = (stack.enter_context(Host(shop.answer)) for _ in range(1 + cdns))
        shop.cdns = [host.name for host in images]
        yield Served(shop, pages, images)


def stored_images(folder: Path) -> set[str]:
    """The paths of the URLs whose images a project has stored."""
    file = folder / "data/raw/shop/images.parquet"
    if not file.is_file():
        return set()
    rows = pq.read_table(file, columns=["image_url", "path"]).to_pylist()
    return {urlsplit(row["image_url"]).path for row in rows if row["path"] is not None}


_LINKS = """\
kind = "links"
title = "Shop"
links = "links.csv"
image_hosts = {images}
contact = "me@example.org"
"""

_HTML = """\
title = "Shop"
start_url = "http://{pages}/gems"
page_hosts = ["{pages}", "{closed}"]
image_hosts = {images}
contact = "me@example.org"
[categories]
card = "a.class"
[products]
link = "a.product"
[[images]]
read = "css"
selector = "img"
attribute = "src"
"""
