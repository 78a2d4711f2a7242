"""A site's products, and its images with the classes, products and pages that list them."""

from collections.abc import Iterable
from typing import NamedTuple

from scraper.storage.image_table import ImageTable, Listing
from scraper.storage.page_table import PageTable
from scraper.storage.product_table import ProductTable
from scraper.storage.schema import Database
from scraper.stores.records import Link, Product


class ShownProduct(NamedTuple):
    """A page shows a product, in these classes."""

    page_url: str
    product: Product
    classes: list[str]


class ListingTable:
    """The listings of one run; `pages` tells whether the run read every page."""

    def __init__(self, database: Database, pages: PageTable, images: ImageTable, products: ProductTable):
        self._database, self._pages, self._images, self._products = database, pages, images, products

    def save_products(self, shown: Iterable[ShownProduct], complete: bool) -> None:
        """Store which page shows which product and images, in which classes.

        If all pages were read (`complete`), listings are replaced, and images that no page lists any more are
        marked gone. Otherwise only new images are added.
        """
        listings: dict[str, Listing] = {}
        with self._database.transaction():
            for page_url, product, classes in shown:
                if complete:
                    self._products.forget(page_url)
                self._products.add(page_url, product, classes)
                for url in product.images:
                    listing = listings.setdefault(url, Listing())
                    listing.classes.update(classes)
                    listing.products.add(product.product_id)
                    listing.pages.add(page_url)
            self._save(listings, complete)

    def save_links(self, links: Iterable[Link]) -> None:
        """Store a whole link list: it replaces all listings, and images not in it are marked gone."""
        listings: dict[str, Listing] = {}
        for link in links:
            listing = listings.setdefault(link.image_url, Listing())
            listing.classes.add(link.store_class)
            if link.product_id is not None:
                listing.products.add(link.product_id)
        with self._database.transaction():
            self._save(listings, complete=True)

    def _save(self, listings: dict[str, Listing], complete: bool) -> None:
        self._images.save_listings(listings, complete)
        if complete and listings and not self._pages.any_unread():
            self._images.mark_unlisted_gone()
