"""The listings of a run, and the images that it marks gone."""

import time
from pathlib import Path

import pytest

from scraper.http.reason import Outcome, Reason
from scraper.storage.image_table import ImageTable
from scraper.storage.listing_table import ListingTable
from scraper.storage.page_table import PageTable
from scraper.storage.product_table import ProductTable
from scraper.storage.schema import Database
from scraper.stores.records import Link
from scraper.tables import ImageStatus, ReasonKind

TIMEOUT = Outcome(ImageStatus.FAILED, Reason(ReasonKind.TIMEOUT, "timeout"))
A, B, C = (f"http://cdn.test/{name}.jpg" for name in "abc")


def statuses(database: Database) -> dict[str, str | None]:
    return dict(database.execute("SELECT image_url, status FROM images").fetchall())


@pytest.mark.parametrize("unread", [False, True])
def test_images_that_are_no_longer_listed_are_gone_unless_a_page_is_unread(
    tmp_path: Path, unread: bool
) -> None:
    database = Database(tmp_path / "shop.sqlite", tmp_path)
    for run, urls in ((1, [A, B]), (2, [B, C])):
        pages = PageTable(database, run)
        if unread:
            pages.mark_unchanged("product", "http://shop.test/p", TIMEOUT)
        images = ImageTable(database, run, tmp_path, time.time)
        listings = ListingTable(database, pages, images, ProductTable(database))
        listings.save_links([Link("Ruby", url) for url in urls])
        assert images.count_listed() == 2
        if run == 1:
            database.write("UPDATE images SET status = ?", ["ok"])
    assert statuses(database) == {A: "ok" if unread else "gone", B: "ok", C: None}
    database.close()
