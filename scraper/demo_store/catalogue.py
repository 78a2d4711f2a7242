"""The demo store's products, and the ground truth about each of its photos, all drawn from a seed.

Class names, like those of real stores:

| variety | listed as | parent classes that also list some |
|---|---|---|
| Sapphire | Kashmir Sapphire, Burmese Sapphire, Sapphire | Sapphire |
| Ruby | Burmese Ruby, Manik, Ruby | Ruby |
| Emerald | Colombian Emerald, Panna, Emerald | Emerald |
| Blue Topaz | Blue Topaz | Topaz |
| Amethyst | African Amethyst, Jamunia, Amethyst | Amethyst, Quartz |
| Aquamarine | Aquamarine, Beruj | Aquamarine |
| Peridot | Peridot, Zabarjad | Peridot |
| Red Spinel | Red Spinel | Spinel |
| Almandine Garnet | Almandine Garnet | Garnet |

Each product is listed in at least one class that names its variety. Topaz, Quartz, Spinel and Garnet name no
variety and are never a product's only class. A few products are a true conflict: listed as Ruby and as Red
Spinel.
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from scraper.demo_store.file_names import TELLING, plain_name, telling_name
from scraper.demo_store.rendering.varieties import BY_NAME, VARIETIES, Variety

#: Kinds of photos and their number at scale 1 and dirt 1 (None: follows from the varieties).
KINDS = {
    "stone": None,
    "stock": None,
    "certificate": 110,
    "hand": 90,
    "near_duplicate": 90,
    "exact_duplicate": 50,
    "tiny": 30,
    "truncated": 16,
    "html": 8,
    "missing": 20,
    "forbidden": 6,
}

#: More kinds of dirt. Each has its own random generator, so that a new kind changes no other photo.
MORE_KINDS = {
    "edited_duplicate": 21,
    "blank": 11,
    "blurred": 12,
    "dark": 11,
    "bright": 11,
    "several": 14,
    "no_stone": 14,
    "watermark": 13,
    "glove": 12,
    "size_chart": 7,
    "banner": 11,
    "placeholder": 7,
    "screenshot": 7,
}

COPIES = ("exact_duplicate", "near_duplicate", "edited_duplicate")

#: How near-duplicates and edited duplicates differ from their originals.
CHANGES = ("rescaled", "recompressed", "converted")
EDITS = ("halved", "doubled", "compressed", "cropped", "bordered", "relit", "mirrored")

TRADE_ONLY = "Trade Clearance"

_CONFLICTS = 5
_STOCK_A_VARIETY = 2
_STOCK_LISTED_BY = (5, 13)
_VIEWS = (0.12, 0.38, 0.33, 0.17)
_FEWEST = 12
#: Distance between the first view numbers of two kinds of dirt.
_VIEWS_PER_KIND = 100_000


@dataclass(frozen=True)
class Photo:
    """The ground truth about one image URL. `path` is the URL's path on the image host.

    `stone` and `view` identify what it shows. `copy_of` is the path of its original, `change` the difference
    from it. `telling_name`: the file name reveals the kind of dirt.
    """

    path: str
    kind: str
    variety: str
    stone: tuple[int, ...]
    view: int
    added: datetime.date
    product_ids: tuple[str, ...] = ()
    copy_of: str | None = None
    change: str | None = None
    telling_name: bool = False
    conflict: bool = False

    @property
    def usable(self) -> bool:
        """A good photo, the original of its copies, with one true label: cleaning should keep it."""
        return self.kind in ("stone", "stock") and not self.conflict

    @property
    def suffix(self) -> str:
        """File name extension, without the dot."""
        return self.path.rsplit(".", 1)[1]


@dataclass
class Product:
    """One product page. `photos`: paths in gallery order; without `gallery` only the JSON-LD lists them."""

    product_id: str
    variety: str
    title: str
    slug: str
    store_classes: tuple[str, ...]
    attributes: dict[str, str]
    added: datetime.date
    stone: tuple[int, ...]
    photos: list[str] = field(default_factory=list)
    gallery: bool = True

    @property
    def path(self) -> str:
        """Path on the page host."""
        return f"/product/{self.product_id}-{self.slug}"


@dataclass
class Catalogue:
    """All classes (name → ordered product ids), products and photos of one store."""

    seed: int
    scale: float
    dirt: float
    classes: dict[str, list[str]]
    products: dict[str, Product]
    photos: list[Photo]

    @cached_property
    def by_path(self) -> dict[str, Photo]:
        """Photos by URL path."""
        return {photo.path: photo for photo in self.photos}


def build(seed: int, scale: float, dirt: float = 1.0) -> Catalogue:
    """Build the store of a seed, with `scale` times the usual stones and `dirt` times the usual dirt."""
    return _Builder(seed, scale, dirt).build()


def slug(name: str) -> str:
    """The form of a name in URLs."""
    return name.lower().replace(" ", "-")


class _Builder:
    def __init__(self, seed: int, scale: float, dirt: float):
        self.seed, self.scale, self.dirt = seed, scale, dirt
        self.rng = np.random.default_rng([seed, 1])
        self.products: dict[str, Product] = {}
        self.photos: dict[str, Photo] = {}
        self.number = 10_000 + int(self.rng.integers(0, 9_000))

    def build(self) -> Catalogue:
        for variety in VARIETIES:
            self._stock_variety(variety)
        self._conflicts()
        for kind, count in KINDS.items():
            if count is not None:
                self._dirt(kind, max(1, round(count * self.scale * self.dirt)), 50)
        products = list(self.products.values())
        products[len(products) // 2].gallery = False
        for number, (kind, count) in enumerate(MORE_KINDS.items(), start=2):
            self.rng = np.random.default_rng([self.seed, 4, number])
            self._dirt(kind, max(1, round(count * self.scale * self.dirt)), number * _VIEWS_PER_KIND)
        return Catalogue(self.seed, self.scale, self.dirt, self._classes(), self.products, self._listed())

    def _stock_variety(self, variety: Variety) -> None:
        stock = max(1, round(_STOCK_A_VARIETY * self.scale))
        left = max(_FEWEST, round(variety.photos * self.scale)) - stock
        products = []
        while left > 0:
            product = self._product(variety)
            # Even the smallest store has enough products of each variety to share a stock photo.
            views = min(max(1, left // 3), 1 + int(self.rng.choice(len(_VIEWS), p=_VIEWS)))
            for view in range(views):
                self._photo(product, "stone", view=view)
            products.append(product)
            left -= views
        for _ in range(stock):
            self._stock_photo(products)

    def _stock_photo(self, products: list[Product]) -> None:
        source = self._product_like(products[int(self.rng.integers(len(products)))], list_it=False)
        photo = self._photo(source, "stock", name=f"{slug(source.variety)}-gemstone-{self._next()}.jpg")
        count = min(len(products), int(self.rng.integers(*_STOCK_LISTED_BY)))
        for index in self.rng.permutation(len(products))[:count]:
            products[index].photos.append(photo.path)

    def _conflicts(self) -> None:
        for index in range(max(1, round(_CONFLICTS * self.scale))):
            product = self._product(BY_NAME["Ruby" if index % 2 else "Red Spinel"])
            product.store_classes = ("Ruby", "Red Spinel")
            for view in range(2):
                photo = self._photo(product, "stone", view=view)
                self.photos[photo.path] = replace(photo, conflict=True)

    def _dirt(self, kind: str, count: int, first_view: int) -> None:
        """Add `count` photos of a kind. Their view numbers, from `first_view` on, are not used elsewhere."""
        products = list(self.products.values())
        clear = [p for p in self.photos.values() if p.kind == "stone" and not p.conflict]
        for index in range(count):
            if kind in COPIES:
                self._copy(kind, clear[int(self.rng.integers(len(clear)))])
                continue
            product = products[int(self.rng.integers(len(products)))]
            telling = kind in TELLING and index % 2 == 0
            name = telling_name(self.rng, kind, self._next(), product.product_id) if telling else None
            photo = self._photo(product, kind, view=first_view + index, name=name)
            if telling:
                self.photos[photo.path] = replace(photo, telling_name=True)

    def _copy(self, kind: str, original: Photo) -> None:
        product = next(p for p in self.products.values() if original.path in p.photos)
        if self.rng.random() < 0.5:
            product = self._product_like(product)
        change, suffix = None, "jpg"
        if kind == "near_duplicate":
            change = str(self.rng.choice(CHANGES))
            suffix = str(self.rng.choice(["png", "webp"])) if change == "converted" else "jpg"
        elif kind == "edited_duplicate":
            change = str(self.rng.choice(EDITS))
        name = self._name(product).removesuffix("jpg") + suffix
        photo = self._photo(product, kind, view=original.view, name=name)
        self.photos[photo.path] = replace(photo, copy_of=original.path, change=change)

    def _next(self) -> int:
        self.number += int(self.rng.integers(1, 4))
        return self.number

    def _product(self, variety: Variety) -> Product:
        number = self._next()
        stone = (self.seed, 2, number)
        classes = [str(self.rng.choice(variety.names))]
        if self.rng.random() < 0.35:
            classes.append(str(self.rng.choice(variety.parents)))
        carats = round(float(self.rng.gamma(3, 1.2)) + 0.4, 2)
        adjective = self.rng.choice(["Natural", "Fine", "Loose", "Certified", "Bright", "Perfect"])
        title = f"{adjective} {classes[0]} {carats} Carats"
        attributes = {"Weight": f"{carats} ct", "Origin": str(self.rng.choice(variety.origins))}
        return self._list(
            Product(
                product_id=f"gp{number}",
                variety=variety.name,
                title=title,
                slug=slug(title).replace(".", "-"),
                store_classes=tuple(dict.fromkeys(classes)),
                attributes=attributes,
                added=self._date(),
                stone=stone,
            )
        )

    def _product_like(self, product: Product, list_it: bool = True) -> Product:
        """The same stone listed again or, if not listed, another stone of the same kind for a stock photo."""
        number = self._next()
        fresh = replace(product, product_id=f"gp{number}", added=self._date(), photos=[], gallery=True)
        if list_it:
            return self._list(fresh)
        fresh.stone = (self.seed, 3, number)
        return fresh

    def _list(self, product: Product) -> Product:
        self.products[product.product_id] = product
        return product

    def _photo(self, product: Product, kind: str, view: int = 0, name: str | None = None) -> Photo:
        name = name or self._name(product)
        folder = "/media/wholesale" if kind == "forbidden" else f"/media/catalog/product/{name[0]}/{name[1]}"
        photo = Photo(f"{folder}/{name}", kind, product.variety, product.stone, view, product.added)
        assert photo.path not in self.photos
        self.photos[photo.path] = photo
        product.photos.append(photo.path)
        return photo

    def _name(self, product: Product) -> str:
        draw, number, place = self.rng.random(), self._next(), len(product.photos) + 1
        stone = slug(product.variety)
        return plain_name(self.rng, draw, number, product.product_id, place, product.added, stone)

    def _date(self) -> datetime.date:
        return datetime.date(2022, 1, 1) + datetime.timedelta(days=int(self.rng.integers(0, 900)))

    def _classes(self) -> dict[str, list[str]]:
        classes: dict[str, list[str]] = {}
        for product in self.products.values():
            for name in product.store_classes:
                classes.setdefault(name, []).append(product.product_id)
        ordered = dict(sorted(classes.items()))
        everything = list(self.products)
        ordered[TRADE_ONLY] = everything[:: max(1, len(everything) // 20)]
        return ordered

    def _listed(self) -> list[Photo]:
        """The photos with the products that list them, sorted by path."""
        listed: dict[str, list[str]] = {path: [] for path in self.photos}
        for product in self.products.values():
            for path in product.photos:
                listed[path].append(product.product_id)
        return [replace(self.photos[path], product_ids=tuple(ids)) for path, ids in sorted(listed.items())]


def images_of(catalogue: Catalogue) -> Iterator[Photo]:
    """The photos for which the store has a file."""
    return (photo for photo in catalogue.photos if photo.kind not in ("missing", "html"))
