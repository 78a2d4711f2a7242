"""What a site lists: its products, and its images with the classes, products and pages that list them."""

import json
from collections.abc import Iterable

from scraper.storage.page_table import PageTable
from scraper.storage.schema import Database, now_ms
from scraper.stores.records import Link, Product

#: By image URL: the store classes, product ids and page URLs that list the image.
_Listings = dict[str, tuple[set[str], set[str], set[str]]]


class ListingTable:
    """The listings of one run; `pages` tells whether the run read every page."""

    def __init__(self, database: Database, run: int, pages: PageTable):
        self._database, self._run, self._pages = database, run, pages

    def save_products(self, products: Iterable[tuple[str, Product, list[str]]], complete: bool) -> None:
        """Store (page URL, product, classes): which page shows which product and images, in which classes.

        If all pages were read (`complete`), listings are replaced, and images that no page lists any more are
        marked gone. Otherwise only new images are added.
        """
        images: _Listings = {}
        with self._database.transaction():
            for page_url, product, classes in products:
                if complete:
                    self._database.execute("DELETE FROM products WHERE page_url = ?", [page_url])
                attributes = json.dumps(product.attributes, ensure_ascii=False, sort_keys=True)
                for name in classes:
                    self._database.execute(
                        "INSERT OR REPLACE INTO products VALUES (?, ?, ?, ?, ?)",
                        [page_url, name, product.product_id, product.title, attributes],
                    )
                for url in product.images:
                    listing = images.setdefault(url, (set(), set(), set()))
                    listing[0].update(classes)
                    listing[1].add(product.product_id)
                    listing[2].add(page_url)
            self._save_images(images, complete)

    def save_links(self, links: Iterable[Link]) -> None:
        """Store a whole link list: it replaces all listings, and images not in it are marked gone."""
        images: _Listings = {}
        for link in links:
            classes, products, _ = images.setdefault(link.image_url, (set(), set(), set()))
            classes.add(link.store_class)
            if link.product_id is not None:
                products.add(link.product_id)
        with self._database.transaction():
            self._save_images(images, complete=True)

    def count(self) -> int:
        """Distinct images that this run lists."""
        query = "SELECT count(*) FROM images WHERE listed = ?"
        return int(self._database.execute(query, [self._run]).fetchone()[0])

    def _save_images(self, images: _Listings, complete: bool) -> None:
        now = now_ms()
        if complete:  # a plan, or an interrupted crawl, may have listed others in this run
            self._database.execute("UPDATE images SET listed = 0 WHERE listed = ?", [self._run])
        update = (
            "UPDATE SET listed = excluded.listed, store_classes = excluded.store_classes, "
            "product_ids = excluded.product_ids, page_urls = excluded.page_urls, "
            "run = CASE reason WHEN 'no longer listed' THEN 0 ELSE run END"
        )
        self._database.executemany(
            "INSERT INTO images (image_url, run, listed, first_seen, store_classes, product_ids, page_urls) "
            f"VALUES (?, 0, ?, ?, ?, ?, ?) ON CONFLICT DO {update if complete else 'NOTHING'}",
            (
                [url, self._run, now, *(json.dumps(sorted(part), ensure_ascii=False) for part in listing)]
                for url, listing in images.items()
            ),
        )
        if complete and images and not self._pages.any_unread():
            self._database.execute("DELETE FROM images WHERE listed != ? AND status IS NULL", [self._run])
            self._database.execute(
                "UPDATE images SET run = ?, status = 'gone', reason = 'no longer listed', "
                "gone_at = coalesce(gone_at, ?) WHERE listed != ?",
                [self._run, now, self._run],
            )
