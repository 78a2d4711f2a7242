"""The pages of a crawl: what a run has finished, and what earlier runs know."""

from pathlib import Path

from scraper.http.reason import Outcome, Reason
from scraper.storage.page_table import PageTable
from scraper.storage.schema import Database
from scraper.tables import ImageStatus

FAILED = Outcome(ImageStatus.FAILED, Reason.of_status(500))
URL = "http://shop.test/p/gp1"


def test_a_page_keeps_its_content_and_is_done_only_in_its_run(tmp_path: Path) -> None:
    database = Database(tmp_path / "shop.sqlite", tmp_path)
    first, second = PageTable(database, 1), PageTable(database, 2)
    assert first.get("product", URL) is None
    first.mark_fetched("product", URL, {"etag": '"x"'}, "parser", "{}")
    row = second.get("product", URL)
    assert row is not None and not row.done
    assert (row.etag, row.parser, row.content) == ('"x"', "parser", "{}")
    second.mark_unchanged("product", URL, FAILED)
    row = second.get("product", URL)
    assert row is not None and row.done and (row.outcome, row.content) == (FAILED, "{}")
    assert second.failures() == {FAILED: 1} and second.count() == 1
    assert not second.any_unread(), "its content is known from the first run"
    second.mark_unchanged("product", f"{URL}2", FAILED)
    assert second.any_unread() and first.count() == 0
    database.close()
