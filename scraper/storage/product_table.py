"""The products of a site, by the page and the class that show them."""

import json
from collections.abc import Iterable, Iterator

from scraper.storage.schema import Database, Row
from scraper.stores.records import Product
from scraper.tables import PRODUCTS


class ProductTable:
    """Products by page URL and class; what a page showed last stays until it is replaced."""

    def __init__(self, database: Database):
        self._database = database

    def forget(self, page_url: str) -> None:
        """Delete what a page showed; call it within a transaction."""
        self._database.execute("DELETE FROM products WHERE page_url = ?", [page_url])

    def add(self, page_url: str, product: Product, classes: Iterable[str]) -> None:
        """A page shows a product in these classes; call it within a transaction."""
        attributes = json.dumps(product.attributes, ensure_ascii=False, sort_keys=True)
        for name in classes:
            self._database.execute(
                "INSERT OR REPLACE INTO products VALUES (?, ?, ?, ?, ?)",
                [page_url, name, product.product_id, product.title, attributes],
            )

    def count(self) -> int:
        """Distinct products."""
        return len({row["product_id"] for row in self.rows()})

    def rows(self) -> Iterator[Row]:
        """The products, as rows of `scraper.tables.PRODUCTS` without site.

        Products of images that come from a link list, not from a page, have no page and no title.
        """
        names = [field.name for field in PRODUCTS if field.name != "site"]
        query = f"""
            SELECT {", ".join(names)} FROM products
            UNION SELECT product.value, NULL, NULL, class.value, '{{}}'
            FROM images, json_each(product_ids) product, json_each(store_classes) class
            WHERE page_urls = '[]'
            ORDER BY product_id, store_class, page_url
        """
        for row in self._database.execute(query):
            yield dict(zip(names, row, strict=True))
