"""What a run lists, and which images it marks gone."""

from pathlib import Path

import pytest

from scraper.storage.listing_table import ListingTable
from scraper.storage.page_table import PageTable
from scraper.storage.schema import Database
from scraper.stores.records import Link

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
            pages.mark_unchanged("product", "http://shop.test/p", "failed", "timeout")
        listings = ListingTable(database, run, pages)
        listings.save_links([Link("Ruby", url) for url in urls])
        assert listings.count() == 2
        if run == 1:
            database.write("UPDATE images SET status = ?", ["ok"])
    assert statuses(database) == {A: "ok" if unread else "gone", B: "ok", C: None}
    database.close()
